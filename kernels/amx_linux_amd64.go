//go:build !purego

package kernels

import "golang.org/x/sys/unix"

// askTiles asks the system that threads of this process may use tiles; asking again changes nothing. A system that does
// not know the question, or says no, has none.
func askTiles() bool {
	const requestPermission, tileData = 0x1023, 18 // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
	_, _, errno := unix.RawSyscall(unix.SYS_ARCH_PRCTL, requestPermission, tileData, 0)
	return errno == 0
}
