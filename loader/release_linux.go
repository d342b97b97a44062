package loader

import (
	"cmp"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Release tells the operating system that mapped bytes have been read and are not needed in memory: they stay valid, and
// come from the file again when they are touched. Parts of tensors of an open file are released, neighbours together and
// whole pages only; other bytes stay as they are. Call it now and then with many parts: every call interrupts all cores.
func (c *Checkpoint) Release(parts ...[]byte) {
	parts = slices.DeleteFunc(slices.Clone(parts), func(b []byte) bool { return len(b) == 0 })
	slices.SortFunc(parts, func(a, b []byte) int { return cmp.Compare(address(a), address(b)) })
	for len(parts) > 0 {
		start, end, n := address(parts[0]), address(parts[0])+uintptr(len(parts[0])), 1
		for n < len(parts) && address(parts[n]) <= end {
			end = max(end, address(parts[n])+uintptr(len(parts[n])))
			n++
		}
		parts = parts[n:]
		for _, f := range c.files {
			f.release(start, end)
		}
	}
}

// release releases the whole pages of [start, end) that are the mapping's.
func (f *File) release(start, end uintptr) {
	if f.close == nil || len(f.data) == 0 {
		return
	}
	page, base := uintptr(unix.Getpagesize()), address(f.data)
	start = max((start+page-1)&^(page-1), base)
	end = min(end&^(page-1), base+uintptr(len(f.data)))
	if start < end {
		_ = unix.Madvise(f.data[start-base:end-base], unix.MADV_DONTNEED) // advice only
	}
}

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
