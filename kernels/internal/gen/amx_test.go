package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTileInstructions holds encodings as another assembler (GNU as 2.40) makes them.
func TestTileInstructions(t *testing.T) {
	low, high := tileMem{64, "AX", "CX"}, tileMem{-128, "R13", "R9"}
	for _, c := range []struct {
		got  []byte
		want string
	}{
		{tileMem{64, "SI", ""}.vex(noPrefix, 0x49, 0, false), "c4e2784986 40000000"},
		{tileMem{8, "R14", ""}.vex(noPrefix, 0x49, 0, false), "c4c2784986 08000000"},
		{low.vex(prefixF2, 0x4b, 3, true), "c4e27b4b9c08 40000000"},
		{high.vex(prefixF2, 0x4b, 7, true), "c4827b4bbc0d 80ffffff"},
		{tileMem{0, "R12", ""}.vex(prefixF2, 0x4b, 0, true), "c4c27b4b8424 00000000"},
		{tileMem{0, "BX", "R15"}.vex(prefixF3, 0x4b, 1, true), "c4a27a4b8c3b 00000000"},
		{dotTileI8.bytes(6, 4, 1), "c4e24b5ecc"},
		{dotTileBF16.bytes(7, 5, 0), "c4e2425cc5"},
	} {
		want := ""
		for _, r := range c.want {
			if r != ' ' {
				want += string(r)
			}
		}
		require.Equal(t, want, fmt.Sprintf("%x", c.got))
	}
	require.Panics(t, func() { tileMem{0, "R12", ""}.vex(noPrefix, 0x49, 0, false) })
	require.Panics(t, func() { tileMem{0, "AX", "SP"}.vex(prefixF2, 0x4b, 0, true) })
}
