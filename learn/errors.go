package learn

import "errors"

var (
	// ErrData is returned for examples that nothing can be learnt from.
	ErrData = errors.New("bad training data")
	// ErrFolder is returned for a folder of a learnt model that is damaged or belongs to another encoder.
	ErrFolder = errors.New("bad classifier folder")
)
