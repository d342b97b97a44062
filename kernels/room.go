package kernels

import "unsafe"

// hugePage is the size of large pages: smaller ones make a product of many rows look their addresses up row by row.
const hugePage = 2 << 20

// Room makes n zeroed floats that start at a multiple of 64 bytes; where they are many, in huge pages if the system
// grants them. It is garbage collected as any slice.
func Room(n int) []float32 { return as[float32](room(4 * n)) }

// room is Room in bytes.
func room(n int) []byte {
	unit := 64
	if n >= hugePage {
		unit = hugePage
	}
	b := make([]byte, n+unit-1)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & uintptr(unit-1))
	b = b[skip : skip+n : skip+n]
	if unit == hugePage {
		adviseHuge(b[: n/hugePage*hugePage : n])
	}
	return b
}
