package kernels

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Packed weights ("panel16"): 16 rows of a weight stand side by side, so that a register holds one k of 16 outputs.
// Rows are padded to whole panels and K to steps of 64, with weights that nothing comes of. Every panel starts at a
// multiple of 64 bytes. All numbers are little endian.
//
//	Q8P, 1088 bytes per 64 k: scales [2 blocks][16 rows] f16, then [2][8][16 rows][4 k] of q+128.
//	     w = q · scale, q in -127..127, scale = max|w|/127 of row and block of 32.
//	Q4P, first D [16] f32 and M [16] f32, then 576 bytes per 64 k: scales [2 blocks][16 rows] u8, mins [2][16] i8,
//	     then [2][4][16 rows][4]: in group j low nibbles hold k 8j..8j+3, high nibbles k 8j+4..8j+7.
//	     w = q · (scale·D) + min·M, q in 0..15.
const (
	panelRows  = 16
	blockDepth = QuantBlock // k that share a scale
	stepDepth  = 64         // k of a step: two blocks
	q8Step     = 2*panelRows*2 + stepDepth*panelRows
	q4Head     = 2 * panelRows * 4
	q4Step     = 2*2*panelRows + stepDepth*panelRows/2
)

// QuantBlock is how many k share a scale, in packed weights and in quantised activations.
const QuantBlock = 32

// packing says where things stand in a panel.
type packing struct{ head, step int }

// packFormat indexes the tables of kernels on packed weights.
type packFormat uint8

const (
	q8 packFormat = iota
	q4
	numPackFormats
)

var packings = [numPackFormats]packing{q8: {0, q8Step}, q4: {q4Head, q4Step}}

func packFormatOf(d tensor.DType) (packFormat, bool) {
	switch d {
	case tensor.Q8P:
		return q8, true
	case tensor.Q4P:
		return q4, true
	}
	return 0, false
}

// PackedBytes is the size of a packed weight [rows, cols]. It fails on dtypes that are not packed and on sizes that
// are negative or do not fit.
func PackedBytes(d tensor.DType, rows, cols int) (int, error) {
	f, ok := packFormatOf(d)
	if !ok {
		return 0, fmt.Errorf("kernels: dtype %v is not packed, want Q8P16 or Q4P16", d)
	}
	if rows < 0 || cols < 0 || rows > math.MaxInt32 || cols > math.MaxInt32 {
		return 0, fmt.Errorf("kernels: packed weight [%d %d] does not fit", rows, cols)
	}
	n := int64(ceilDiv(rows, panelRows)) * packings[f].panel(cols) // below 2²⁷ · 2³¹
	if int64(int(n)) != n {
		return 0, fmt.Errorf("kernels: packed weight [%d %d] does not fit", rows, cols)
	}
	return int(n), nil
}

func (p packing) panel(cols int) int64 {
	return int64(p.head) + int64(ceilDiv(cols, stepDepth))*int64(p.step)
}

// PackedMatrix looks at bytes as a packed weight [rows, cols], sharing them. The error says what length or alignment
// was wanted and found.
func PackedMatrix(d tensor.DType, rows, cols int, data []byte) (Matrix, error) {
	n, err := PackedBytes(d, rows, cols)
	if err != nil {
		return Matrix{}, err
	}
	if len(data) != n {
		return Matrix{}, fmt.Errorf("kernels: packed weight %v [%d %d] of %d bytes, want %d", d, rows, cols, len(data), n)
	}
	if n > 0 && uintptr(unsafe.Pointer(&data[0]))%64 != 0 {
		return Matrix{}, fmt.Errorf("kernels: packed weight %v [%d %d] is not aligned to 64 bytes", d, rows, cols)
	}
	return Matrix{DType: d, Rows: rows, Cols: cols, Data: data}, nil
}

// NewPacked makes a packed weight [rows, cols] that owns its bytes, for [Engine.Pack] to fill.
func NewPacked(d tensor.DType, rows, cols int) (Matrix, error) {
	n, err := PackedBytes(d, rows, cols)
	if err != nil {
		return Matrix{}, err
	}
	b := make([]byte, n+63)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & 63)
	return PackedMatrix(d, rows, cols, b[skip:skip+n:skip+n])
}

// Packed says whether the weight is in one of our packed formats.
func (m Matrix) Packed() bool { _, ok := packFormatOf(m.DType); return ok }

// Panels is the number of panels of a packed weight.
func (m Matrix) Panels() int { return ceilDiv(m.Rows, panelRows) }

func (m Matrix) packing() packing {
	f, ok := packFormatOf(m.DType)
	if !ok {
		panic(fmt.Sprintf("kernels: matrix of dtype %v is not packed", m.DType))
	}
	return packings[f]
}

// panel is the bytes of panel p.
func (m Matrix) panel(p int) []byte {
	n := int(m.packing().panel(m.Cols))
	return m.Data[p*n : (p+1)*n : (p+1)*n]
}

func (m Matrix) packedRange(a, b int) Matrix {
	if a%panelRows != 0 || (b%panelRows != 0 && b != m.Rows) {
		panic(fmt.Sprintf("kernels.Matrix.RowRange: [%d,%d) of %d packed rows, want multiples of %d", a, b, m.Rows, panelRows))
	}
	n := int(m.packing().panel(m.Cols))
	from, to := a/panelRows*n, ceilDiv(b, panelRows)*n
	if a == b {
		to = from
	}
	return Matrix{DType: m.DType, Rows: b - a, Cols: m.Cols, Data: m.Data[from:to:to]}
}

// packedRow dequantises row i, each weight rounded as its formula says.
func (m Matrix) packedRow(dst []float32, i int) {
	p, r := m.panel(i/panelRows), i%panelRows
	if m.DType == tensor.Q8P {
		for k := range dst {
			s := p[k/stepDepth*q8Step:]
			b, j := k%stepDepth/blockDepth, k%blockDepth
			scale := halfToF32(as[uint16](s[:64])[b*panelRows+r])
			dst[k] = float32(int(s[64+b*512+j/4*64+r*4+j%4])-128) * scale
		}
		return
	}
	d, min := as[float32](p[:64])[r], as[float32](p[64:128])[r]
	for k := range dst {
		s := p[q4Head+k/stepDepth*q4Step:]
		b, j := k%stepDepth/blockDepth, k%blockDepth
		q := s[64+b*256+j/8*64+r*4+j%4] >> (j / 4 % 2 * 4) & 15
		w := float32(q) * float32(float32(s[b*panelRows+r])*d)
		dst[k] = w + float32(float32(int8(s[32+b*panelRows+r]))*min)
	}
}
