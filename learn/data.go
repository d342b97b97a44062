package learn

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Data is a set of examples as features: Dense [N,D], Sparse a row for each, or both. The other stays empty.
type Data struct {
	Dense   tensor.Mat
	Sparse  []Sparse
	Buckets int // columns of Sparse
}

// Len is N.
func (d *Data) Len() int { return max(d.Dense.Rows, len(d.Sparse)) }

// At is the set of the examples that are listed; sparse rows are shared.
func (d *Data) At(list []int) Data {
	out := Data{Buckets: d.Buckets}
	if d.Dense.Rows > 0 {
		out.Dense = tensor.NewMat(len(list), d.Dense.Cols)
		for i, j := range list {
			copy(out.Dense.Row(i), d.Dense.Row(j))
		}
	}
	if d.Sparse != nil {
		out.Sparse = make([]Sparse, len(list))
		for i, j := range list {
			out.Sparse[i] = d.Sparse[j]
		}
	}
	return out
}

func (d *Data) check(labels int) error {
	n := d.Len()
	if n == 0 || n != labels {
		return fmt.Errorf("%w: %d examples with %d labels", ErrData, n, labels)
	}
	if d.Dense.Rows > 0 && d.Sparse != nil && d.Dense.Rows != len(d.Sparse) {
		return fmt.Errorf("%w: %d dense rows beside %d sparse ones", ErrData, d.Dense.Rows, len(d.Sparse))
	}
	return nil
}
