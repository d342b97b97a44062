package tensor

import "fmt"

// DType names how one element is stored. The zero value is invalid on purpose.
type DType uint8

// The dtypes of safetensors files, and behind them the packed blocks of package kernels, which have no size of an
// element and no name in files.
const (
	Invalid DType = iota
	F64
	F32
	F16
	BF16
	F8E4M3
	F8E5M2
	I64
	I32
	I16
	I8
	U64
	U32
	U16
	U8
	Bool
	Q8P // int8 in blocks of 32, 16 rows interleaved
	Q4P // int4 in blocks of 32, the same
	numDTypes
)

// dtypes is the one table of names (as safetensors writes them) and sizes.
var dtypes = [numDTypes]struct {
	name string
	size int
}{
	Invalid: {"invalid", 0},
	F64:     {"F64", 8}, F32: {"F32", 4}, F16: {"F16", 2}, BF16: {"BF16", 2},
	F8E4M3: {"F8_E4M3", 1}, F8E5M2: {"F8_E5M2", 1},
	I64: {"I64", 8}, I32: {"I32", 4}, I16: {"I16", 2}, I8: {"I8", 1},
	U64: {"U64", 8}, U32: {"U32", 4}, U16: {"U16", 2}, U8: {"U8", 1},
	Bool: {"BOOL", 1},
	Q8P:  {"Q8P16", 0}, Q4P: {"Q4P16", 0},
}

// ParseDType reads a dtype name as safetensors headers spell it.
func ParseDType(name string) (DType, error) {
	for d := F64; d <= Bool; d++ {
		if dtypes[d].name == name {
			return d, nil
		}
	}
	return Invalid, fmt.Errorf("dtype %q is not known", name)
}

// String gives the name that safetensors uses.
func (d DType) String() string {
	if d >= numDTypes {
		return fmt.Sprintf("DType(%d)", uint8(d))
	}
	return dtypes[d].name
}

// Size is the number of bytes of one element; 0 for packed blocks, whose elements have none of their own.
func (d DType) Size() int {
	if d >= numDTypes {
		return 0
	}
	return dtypes[d].size
}

// IsFloat says whether the dtype is one of the floating-point kinds.
func (d DType) IsFloat() bool { return d >= F64 && d <= F8E5M2 }
