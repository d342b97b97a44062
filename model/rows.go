package model

import (
	"github.com/seed2fbf7788/switchyard/kernels"
)

// rowJob is what happens to each row of the residual stream between two products, in one parallel region: a branch is
// added and the next one's input prepared. A chunk owns some tokens.
//
//	x += scale · branch, the branch normalised first where norms stand behind the branches (post)
//	normed = norm(x), or x as it is where the next branch's norm stands behind it
type rowJob struct {
	m      *Model
	st     *state
	embed  bool  // x is looked up: x[t] = scale · Embed[id[t]]
	add    bool  // a branch has ended
	behind *Norm // that stands behind it, or nil

	prepare bool  // a branch begins
	before  *Norm // that stands before it, or nil
	rows    int   // of a chunk
}

// rowElems is about how many elements a chunk takes: some microseconds of work.
const rowElems = 1 << 15

func (j *rowJob) run(m *Model, st *state) {
	j.m, j.st, j.rows = m, st, max(rowElems/m.spec.Hidden, 1)
	st.eng.Run((st.x.Rows+j.rows-1)/j.rows, j)
}

// Do implements kernels.Job.
func (j *rowJob) Do(_, chunk int) {
	for t := chunk * j.rows; t < min((chunk+1)*j.rows, j.st.x.Rows); t++ {
		j.row(t)
	}
}

func (j *rowJob) row(t int) {
	m, ops := j.m, j.st.eng.Ops()
	x, branch, normed := j.st.x.Row(t), j.st.branch.Row(t), j.st.normed.Row(t)
	if j.embed {
		m.weights.Embed.Row(x, int(j.st.ids[t]))
		scale(ops, x, m.spec.EmbedScale)
	}
	if j.add {
		if j.behind != nil {
			m.normalise(ops, branch, branch, j.behind)
		}
		scale(ops, branch, m.spec.ResidualScale)
		ops.Add(x, branch)
	}
	switch {
	case !j.prepare:
	case j.before == nil:
		copy(normed, x)
	default:
		m.normalise(ops, normed, x, j.before)
	}
}

// scale multiplies by an option of the Spec, where 0 means 1.
func scale(ops *kernels.Ops, x []float32, by float32) {
	if by != 0 && by != 1 {
		ops.Scale(x, by)
	}
}

// normalise applies the model's kind of norm to a row; dst may be x.
func (m *Model) normalise(ops *kernels.Ops, dst, x []float32, n *Norm) {
	if m.spec.Norm == LayerNorm {
		ops.LayerNorm(dst, x, n.Weight, n.Bias, m.spec.NormEps)
	} else {
		ops.RMSNorm(dst, x, n.Weight, m.spec.NormEps)
	}
}
