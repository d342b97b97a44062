package kernels

import (
	"fmt"
	"unsafe"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// SoftmaxStep is a step of online softmax (arXiv 1805.02867) for every row r of s [R,N], N > 0:
//
//	m = max(top[r], s[r][0], …), skipping NaN in s
//	shrink[r] = e^(top[r]-m), by which the caller multiplies what the row has gathered; 1 where top stays
//	s[r][j] = e^(s[r][j]-m)
//	sum[r] = sum[r]·shrink[r] + Σ_j s[r][j]
//	top[r] = m
//
// A row begins with top -Inf and sum 0. The sum over j runs in the lanes of the level. Rows do not depend on each other.
func (o *Ops) SoftmaxStep(s tensor.Mat, top, sum, shrink []float32) {
	if len(top) != s.Rows || len(sum) != s.Rows || len(shrink) != s.Rows || s.Cols == 0 {
		panic(fmt.Sprintf("kernels.SoftmaxStep: rows [%d %d], top %d, sum %d, shrink %d", s.Rows, s.Cols, len(top), len(sum), len(shrink)))
	}
	checkMat("SoftmaxStep", s)
	if s.Rows > 0 {
		o.p.softmaxStep(&s.Data[0], s.Stride*4, s.Cols, s.Rows, &top[0], &sum[0], &shrink[0])
	}
}

// softmaxStepFunc is the kernel of SoftmaxStep: rows rows of n elements, stride bytes apart.
type softmaxStepFunc func(s *float32, stride, n, rows int, top, sum, shrink *float32)

func softmaxStepGeneric(s *float32, stride, n, rows int, top, sum, shrink *float32) {
	stride /= 4
	all := unsafe.Slice(s, (rows-1)*stride+n)
	tops, sums, shrinks := unsafe.Slice(top, rows), unsafe.Slice(sum, rows), unsafe.Slice(shrink, rows)
	for r := range rows {
		row := all[r*stride : r*stride+n]
		m := maxGeneric(row)
		if tops[r] > m {
			m = tops[r]
		}
		shrinks[r] = 1
		if m != tops[r] {
			shrinks[r] = expGeneric(tops[r] - m)
		}
		sums[r] = float32(sums[r]*shrinks[r]) + expSumGeneric(row, m)
		tops[r] = m
	}
}
