package loader

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Alloc gives n zeroed bytes outside of the garbage collector's care, at the beginning of a page, in huge pages where the
// system grants them: weights that were made and not mapped. free gives them back; nothing may touch them afterwards.
func Alloc(n int) (data []byte, free func() error, err error) {
	if n == 0 {
		return nil, func() error { return nil }, nil
	}
	data, err = unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot get %d bytes of memory: %w", n, err)
	}
	_ = unix.Madvise(data, unix.MADV_HUGEPAGE) // advice only
	return data, func() error { return unix.Munmap(data) }, nil
}
