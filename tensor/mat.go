package tensor

// Mat is a matrix of f32 activations [Rows, Cols] inside Data; row i starts at i*Stride. Mats are views: copying a
// Mat shares the data.
type Mat struct {
	Rows, Cols, Stride int
	Data               []float32
}

// NewMat makes a zeroed dense matrix [rows, cols] that owns its data.
func NewMat(rows, cols int) Mat {
	return Mat{Rows: rows, Cols: cols, Stride: cols, Data: make([]float32, rows*cols)}
}

// MatOf looks at data as a dense matrix [rows, cols]; it panics where data is too short.
func MatOf(data []float32, rows, cols int) Mat {
	return Mat{Rows: rows, Cols: cols, Stride: cols, Data: data[:rows*cols]}
}

// Row is row i; it shares memory.
func (m Mat) Row(i int) []float32 {
	a := i * m.Stride
	return m.Data[a : a+m.Cols : a+m.Cols]
}

// Slice is the view of rows [a,b).
func (m Mat) Slice(a, b int) Mat {
	if a == b {
		return Mat{Cols: m.Cols, Stride: m.Stride}
	}
	return Mat{Rows: b - a, Cols: m.Cols, Stride: m.Stride, Data: m.Data[a*m.Stride : (b-1)*m.Stride+m.Cols]}
}

// ColSlice is the view of columns [a,b) of every row.
func (m Mat) ColSlice(a, b int) Mat {
	if m.Rows == 0 {
		return Mat{Cols: b - a, Stride: m.Stride}
	}
	return Mat{Rows: m.Rows, Cols: b - a, Stride: m.Stride, Data: m.Data[a : (m.Rows-1)*m.Stride+b]}
}
