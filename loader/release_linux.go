package loader

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Release tells the operating system that mapped bytes have been read and are not needed in memory: they stay valid, and
// come from the file again when they are touched. b must be part of a tensor of an open file. Only whole pages are
// released; bytes that are no mapping of a file stay as they are.
func (c *Checkpoint) Release(b []byte) {
	page := uintptr(unix.Getpagesize())
	for _, f := range c.files {
		if f.close == nil || !within(b, f.data) {
			continue
		}
		start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
		skip := int(-start & (page - 1))
		if n := (len(b) - skip) &^ int(page-1); n > 0 {
			_ = unix.Madvise(b[skip:skip+n], unix.MADV_DONTNEED) // advice only
		}
	}
}

// within says whether all of b lies in data.
func within(b, data []byte) bool {
	if len(b) == 0 || len(data) == 0 {
		return false
	}
	at, start := uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(unsafe.Pointer(unsafe.SliceData(data)))
	return at >= start && at+uintptr(len(b)) <= start+uintptr(len(data))
}
