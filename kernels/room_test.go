package kernels

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// Room is zeroed, of the size asked for, and begins where it should.
func TestRoom(t *testing.T) {
	for _, n := range []int{0, 1, 17, 1000, hugePage/4 - 1, hugePage / 4, hugePage/4 + 1, 3*hugePage/4 + 5} {
		s := Room(n)
		require.Len(t, s, n)
		require.Equal(t, n, cap(s))
		if n == 0 {
			continue
		}
		unit := uintptr(64)
		if 4*n >= hugePage {
			unit = hugePage
		}
		require.Zero(t, uintptr(unsafe.Pointer(&s[0]))%unit, "n %d", n)
		for i, v := range s {
			if v != 0 {
				t.Fatalf("n %d: element %d is %v", n, i, v)
			}
			s[i] = 1
		}
	}
}
