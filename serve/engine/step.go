package engine

import (
	"cmp"
	"runtime"
	"slices"
	"time"

	"github.com/seed2fbf7788/switchyard/model"
)

// share is a job's part of a step.
type share struct {
	job *Job
	n   int // tokens
}

// step computes one batch, in which every job that has read all of its text draws a token.
func (e *Engine) step() {
	plan := e.reserve(e.plan())
	if len(plan) == 0 {
		return
	}
	slices.SortStableFunc(plan, func(a, b share) int { return cmp.Compare(a.job.Gate.String(), b.job.Gate.String()) }) // one gate, one run
	batch := make(model.Batch, len(plan))
	decoders, short, long := 0, 0, 0
	for i, s := range plan {
		batch[i] = e.span(s)
		switch {
		case s.job.generated() > 0 && s.n == 1:
			decoders++
		case s.job.short():
			short += s.n
		default:
			long += s.n
		}
	}
	start := time.Now()
	watch := watcher{e: e, plan: plan}
	if err := e.m.Step(e.ctx, batch, &watch); err != nil {
		e.single(plan, err)
		return
	}
	took := time.Since(start)
	e.pace.learn(decoders, short, long, took)
	e.count(func(s *Stats) { s.Steps++; s.StepSeconds += took.Seconds(); s.PromptTokens += uint64(short + long) })
	e.deliver(plan)
	if e.steps++; e.steps%idleEvery == 0 {
		e.countIdle()
	}
}

// idleEvery is how many steps pass between two looks at what is only kept for later.
const idleEvery = 32

// span is a share as the model takes it.
func (e *Engine) span(s share) model.Span {
	at := s.job.seq.Len()
	sp := model.Span{Seq: s.job.seq, Tokens: s.job.tokens[at : at+s.n], Gate: s.job.Gate}
	if s.n == s.job.left() {
		sp.Draw = s.job.pick
	}
	return sp
}

// plan picks what the next step computes: every job that decodes, and prompts within the budget. Of one priority the prompt that has
// least left goes first, so that a short one does not wait behind a long one. Where others decode, long prompts are read only
// where no short one waits, and in every eighth step whatever comes.
func (e *Engine) plan() []share {
	var plan []share
	var prompts []*Job
	for _, j := range e.running {
		if j.seq.Len() == 0 && e.follows(j) {
			continue
		}
		e.begin(j)
		if j.left() == 1 && j.generated() > 0 {
			plan = append(plan, share{j, 1})
		} else {
			prompts = append(prompts, j)
		}
	}
	if len(prompts) == 0 {
		return plan
	}
	return append(plan, e.chunks(prompts, len(plan))...)
}

// chunks shares a step's budget among the prompts, where so many others decode.
func (e *Engine) chunks(prompts []*Job, decoders int) []share {
	first, short := slices.MinFunc(prompts, order), slices.ContainsFunc(prompts, (*Job).short)
	slices.SortStableFunc(prompts, func(a, b *Job) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.left(), b.left()), order(a, b))
	})
	budget, long := e.pace.budget(decoders, e.opts.Chunk, short), e.opts.Chunk
	if short && decoders > 0 { // long prompts wait, but for their turn
		if long = 0; e.steps%patience == 0 && !first.short() {
			long = min(budget/2, e.pace.budget(decoders, e.opts.Chunk, false))
		}
		budget -= long
	}
	var out []share
	for _, j := range prompts {
		from := &budget
		if short && decoders > 0 && !j.short() {
			from = &long
		}
		if n := min(j.chunk(), *from); n > 0 {
			out = append(out, share{j, n})
			*from -= n
		}
	}
	return out
}

// patience is how many steps the oldest prompt waits at most for its share.
const patience = 8

// short says whether a text counts as short.
func (j *Job) short() bool { return len(j.tokens) <= shortText }

func order(a, b *Job) int {
	if a.before(b) {
		return -1
	}
	return 1
}

// chunk is how much of its text a job may read at once: a step does not cross the end of the prompt, so that a text that is
// computed again turns its rotary embedding as it did at first.
func (j *Job) chunk() int {
	if at := j.seq.Len(); at < len(j.Prompt) {
		return len(j.Prompt) - at
	}
	return j.left()
}

// follows says whether another job is just reading most of what j would read: j waits and shares it then. That is how the n
// choices of one request read their prompt once.
func (e *Engine) follows(j *Job) bool {
	if e.opts.NoPrefixes || j.Routing {
		return false
	}
	for _, o := range e.running {
		if o == j || !o.before(j) || o.seq.Len() >= len(o.Prompt) {
			continue
		}
		same := common(o.Prompt, j.tokens) / model.PageTokens * model.PageTokens
		if o.Gate.String() == j.Gate.String() && same >= model.PageTokens && 2*same >= len(j.tokens) && o.seq.Len() < same {
			return true
		}
	}
	return false
}

func common(a, b []int32) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// begin shares what is known of a job's text, before its first step.
func (e *Engine) begin(j *Job) {
	if j.seq.Len() > 0 {
		return
	}
	j.seq.Announce(len(j.Prompt))
	if e.opts.NoPrefixes || j.Routing { // shared pages come without their routing
		return
	}
	n := e.prefixes.Reuse(j.seq, j.tokens, len(j.Prompt), j.Gate.String())
	j.seq.Announce(len(j.Prompt))
	if n > 0 && j.generated() == 0 {
		j.mu.Lock()
		j.cached = n
		j.mu.Unlock()
		e.count(func(s *Stats) { s.SharedTokens += uint64(n); s.PromptTokens += uint64(n) })
	}
}

// reserve makes sure that the plan fits into the cache. Pages kept for later go first; then the youngest jobs are set back.
func (e *Engine) reserve(plan []share) []share {
	slices.SortFunc(plan, func(a, b share) int { return order(a.job, b.job) })
	need := 0
	for i := 0; i < len(plan); i++ {
		n := plan[i].job.seq.NewPages(plan[i].n)
		for {
			over := e.m.Pages() + need + n - e.pages
			if over <= 0 || e.prefixes.Evict(over) >= over {
				break
			}
			youngest := slices.MaxFunc(e.running, order)
			if youngest == plan[i].job && len(e.running) == 1 {
				break // it is alone, and check has seen that it fits
			}
			e.setBack(youngest)
			plan = slices.DeleteFunc(plan, func(s share) bool { return s.job == youngest })
			if i >= len(plan) {
				return plan
			}
			n = plan[i].job.seq.NewPages(plan[i].n)
		}
		need += n
	}
	return plan
}

// setBack returns a running job to the queue; what it has drawn stays, the cache is computed again.
func (e *Engine) setBack(j *Job) {
	e.running = slices.DeleteFunc(e.running, func(o *Job) bool { return o == j })
	e.release(j)
	j.setBacks++
	if j.routing != nil {
		j.routing.reset()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.insert(j)
	e.active = len(e.running)
	e.stats.SetBack++
}

// single finds the job that makes a batch fail, by computing each alone, and ends it.
func (e *Engine) single(plan []share, err error) {
	if e.ctx.Err() != nil {
		return // admit ends them all
	}
	for _, s := range plan {
		if s.job.routing != nil {
			s.job.routing.truncate(s.job.seq.Len()) // the failed step may have reached some layers
		}
		if len(plan) > 1 {
			watch := watcher{e: e, plan: []share{s}}
			err = e.m.Step(e.ctx, model.Batch{e.span(s)}, &watch)
		}
		if err != nil {
			e.running = slices.DeleteFunc(e.running, func(o *Job) bool { return o == s.job })
			s.job.seq.Truncate(0) // not to be shared
			e.end(s.job, nil, "", err)
		}
	}
	if len(plan) > 1 {
		e.deliver(slices.DeleteFunc(plan, func(s share) bool { return !slices.Contains(e.running, s.job) }))
	}
}

// deliver ends the jobs whose text has ended, and lets readers run: a step leaves them no processor.
func (e *Engine) deliver(plan []share) {
	generated := uint64(0)
	for _, s := range plan {
		e.keep(s)
		j, r := s.job, s.job.drawn
		j.drawn = drawn{}
		if r.drew {
			generated++
		}
		if r.finish != "" {
			e.running = slices.DeleteFunc(e.running, func(o *Job) bool { return o == j })
			e.end(j, r.list, r.finish, nil)
		}
	}
	e.count(func(s *Stats) { s.GeneratedTokens += generated })
	runtime.Gosched()
}

// keep makes the pages that a chunk of a prompt has filled known to others.
func (e *Engine) keep(s share) {
	if !e.opts.NoPrefixes && s.n > 1 && s.job.seq.Len()/model.PageTokens > (s.job.seq.Len()-s.n)/model.PageTokens {
		e.prefixes.Keep(s.job.seq, s.job.Gate.String())
	}
}

func (e *Engine) count(f func(*Stats)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(&e.stats)
}
