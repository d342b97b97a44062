package main

import (
	"fmt"
	"slices"
	"strings"
)

// Instructions of AMX, which Go's assembler lacks. All are VEX.128.0F38.W0: bytes c4, then the inverted high bits of
// three register numbers with the map (2), then the inverted second source with the mandatory prefix, the opcode, ModRM.
// TestTileInstructions holds their encodings.

// gpr are the numbers of registers in addresses.
var gpr = []string{"AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"}

// Mandatory prefixes.
const (
	noPrefix = iota
	prefix66
	prefixF3
	prefixF2
)

// tileMem is disp(base)(index*1) of an instruction that walks rows: index is how many bytes they lie apart, none where
// all are the same.
type tileMem struct {
	disp        int
	base, index string
}

func (m tileMem) String() string {
	s := fmt.Sprintf("%d(%s)", m.disp, m.base)
	if m.index != "" {
		s += fmt.Sprintf("(%s*1)", m.index)
	}
	return s
}

// vex is prefix, opcode, ModRM and address of an instruction on memory; reg goes into ModRM.
func (m tileMem) vex(pp, op, reg int, sib bool) []byte {
	b, x := slices.Index(gpr, m.base), 4 // index 4 is none
	if m.index != "" {
		x = slices.Index(gpr, m.index)
	}
	if b < 0 || x < 0 || m.index == "SP" || (!sib && (m.index != "" || b&7 == 4)) {
		panic("gen: no such address: " + m.String())
	}
	out := []byte{0xc4, byte(0x82 | (^x>>3&1)<<6 | (^b>>3&1)<<5), byte(0x78 | pp), byte(op)}
	if sib {
		out = append(out, byte(0x84|reg<<3), byte((x&7)<<3|b&7))
	} else {
		out = append(out, byte(0x80|reg<<3|b&7))
	}
	for i := range 4 {
		out = append(out, byte(m.disp>>(8*i)))
	}
	return out
}

// raw writes an instruction as its bytes.
func (f *file) raw(b []byte, format string, args ...any) {
	var s []string
	for _, v := range b {
		s = append(s, fmt.Sprintf("BYTE $0x%02x", v))
	}
	f.p("%s // %s", strings.Join(s, "; "), fmt.Sprintf(format, args...))
}

// tileConfig loads the configuration of the tiles: 64 bytes at disp(base).
func (f *file) tileConfig(disp int, base string) {
	m := tileMem{disp, base, ""}
	f.raw(m.vex(noPrefix, 0x49, 0, false), "LDTILECFG %v", m)
}

// tileRelease puts the tiles back to where contexts are cheap to switch.
func (f *file) tileRelease() { f.raw([]byte{0xc4, 0xe2, 0x78, 0x49, 0xc0}, "TILERELEASE") }

func (f *file) tileZero(t int) {
	f.raw([]byte{0xc4, 0xe2, 0x7b, 0x49, byte(0xc0 | t<<3)}, "TILEZERO TMM%d", t)
}

func (f *file) tileLoad(m tileMem, t int) {
	f.raw(m.vex(prefixF2, 0x4b, t, true), "TILELOADD %v, TMM%d", m, t)
}

func (f *file) tileStore(t int, m tileMem) {
	f.raw(m.vex(prefixF3, 0x4b, t, true), "TILESTORED TMM%d, %v", t, m)
}

// tileDot is an instruction that adds the product of tiles a and b to tile c.
type tileDot struct {
	name   string
	pp, op int
}

var (
	dotTileI8   = tileDot{"TDPBSSD", prefixF2, 0x5e} // signed bytes, four of K a column
	dotTileBF16 = tileDot{"TDPBF16PS", prefixF3, 0x5c}
)

func (f *file) tileDot(d tileDot, b, a, c int) {
	f.raw(d.bytes(b, a, c), "%s TMM%d, TMM%d, TMM%d", d.name, b, a, c)
}

func (d tileDot) bytes(b, a, c int) []byte {
	return []byte{0xc4, 0xe2, byte((^b&15)<<3 | d.pp), byte(d.op), byte(0xc0 | c<<3 | a)}
}
