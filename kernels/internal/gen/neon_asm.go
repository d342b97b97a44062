package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The arm64 files. Go's assembler lacks most vector instructions of ARMv8, so all of them are written as words with
// their text behind, and general registers by the assembler. Registers are numbers: n is Vn or, as a pointer, Rn.
//
// A "register" of these kernels is a pair of Vs, 8 lanes as AVX2 has: lane k mod 8, and the same tree.

// arm is one arm64 .s under construction.
type arm struct {
	body   strings.Builder
	suffix string
	name   string     // of the room
	consts [][]uint32 // of 4 lanes, for ldc
	d      *decls
}

const armNotice = notice + "#include \"textflag.h\"\n"

func newArm(room, suffix string, d *decls) *arm { return &arm{name: room, suffix: suffix, d: d} }

// p writes one instruction or label of the assembler.
func (f *arm) p(format string, args ...any) {
	if !strings.HasSuffix(format, ":") {
		f.body.WriteByte('\t')
	}
	fmt.Fprintf(&f.body, format+"\n", args...)
}

// w writes an instruction word and what it says.
func (f *arm) w(word uint32, format string, args ...any) {
	fmt.Fprintf(&f.body, "\tWORD $0x%08x // %s\n", word, fmt.Sprintf(format, args...))
}

// begin declares name and opens its TEXT; args is the size of the arguments with the result.
func (f *arm) begin(name, sig, doc string, args int) {
	fmt.Fprintf(&f.d.b, "// %s%s %s\n//\n//go:noescape\nfunc %s%s%s\n\n", name, f.suffix, doc, name, f.suffix, sig)
	fmt.Fprintf(&f.body, "\n// func %s%s%s\nTEXT ·%s%s(SB), NOSPLIT, $0-%d\n", name, f.suffix, sig, name, f.suffix, args)
}

func (f *arm) text() string {
	var b strings.Builder
	b.WriteString(armNotice)
	if len(f.consts) > 0 {
		b.WriteString("\n// constants, each repeated over a register\n")
		for i, c := range f.consts {
			for j := range 2 {
				fmt.Fprintf(&b, "DATA %sConst%s<>+%d(SB)/8, $0x%08x%08x\n", f.name, f.suffix, i*16+8*j, c[2*j+1], c[2*j])
			}
		}
		fmt.Fprintf(&b, "GLOBL %sConst%s<>(SB), RODATA|NOPTR, $%d\n", f.name, f.suffix, 16*len(f.consts))
	}
	b.WriteString(f.body.String())
	return b.String()
}

// constPtr is the register that points to the constants of the room.
const constPtr = 25

func (f *arm) constants() { f.p("MOVD $%sConst%s<>(SB), R%d", f.name, f.suffix, constPtr) }

// ldc loads a constant into all lanes.
func (f *arm) ldc(v float64, t int) { f.ldbits(math.Float32bits(float32(v)), t) }

func (f *arm) ldbits(b uint32, t int) {
	w := []uint32{b, b, b, b}
	at := slices.IndexFunc(f.consts, func(have []uint32) bool { return slices.Equal(have, w) })
	if at < 0 {
		at = len(f.consts)
		f.consts = append(f.consts, w)
	}
	f.ldr(t, constPtr, 16*at)
}

// form is how the text of an instruction names its registers.
type form struct {
	op      string
	word    uint32
	d, n, m string // arrangements
}

// Instructions of three registers.
var (
	fadd   = form{"fadd", 0x4e20d400, "4s", "4s", "4s"}
	fsub   = form{"fsub", 0x4ea0d400, "4s", "4s", "4s"}
	fmul   = form{"fmul", 0x6e20dc00, "4s", "4s", "4s"}
	fdiv   = form{"fdiv", 0x6e20fc00, "4s", "4s", "4s"}
	fmla   = form{"fmla", 0x4e20cc00, "4s", "4s", "4s"}
	fmls   = form{"fmls", 0x4ea0cc00, "4s", "4s", "4s"}
	faddp  = form{"faddp", 0x6e20d400, "4s", "4s", "4s"}
	fmax   = form{"fmax", 0x4e20f400, "4s", "4s", "4s"}
	fmin   = form{"fmin", 0x4ea0f400, "4s", "4s", "4s"}
	fcmgt  = form{"fcmgt", 0x6ea0e400, "4s", "4s", "4s"}
	fcmeq  = form{"fcmeq", 0x4e20e400, "4s", "4s", "4s"}
	bit    = form{"bit", 0x6ea01c00, "16b", "16b", "16b"}
	and    = form{"and", 0x4e201c00, "16b", "16b", "16b"}
	orr    = form{"orr", 0x4ea01c00, "16b", "16b", "16b"}
	eor    = form{"eor", 0x6e201c00, "16b", "16b", "16b"}
	iadd   = form{"add", 0x4ea08400, "4s", "4s", "4s"}
	isub   = form{"sub", 0x6ea08400, "4s", "4s", "4s"}
	umax   = form{"umax", 0x6ea06400, "4s", "4s", "4s"}
	addp   = form{"addp", 0x4ea0bc00, "4s", "4s", "4s"}
	smull  = form{"smull", 0x0e20c000, "8h", "8b", "8b"}
	smull2 = form{"smull2", 0x4e20c000, "8h", "16b", "16b"}
	smlal  = form{"smlal", 0x0e208000, "8h", "8b", "8b"}
	smlal2 = form{"smlal2", 0x4e208000, "8h", "16b", "16b"}
	sdot   = form{"sdot", 0x4e809400, "4s", "16b", "16b"}
)

// Instructions of two registers.
var (
	shll   = form{"shll", 0x2e613800, "4s", "4h, #16", ""}
	shll2  = form{"shll2", 0x6e613800, "4s", "8h, #16", ""}
	fcvtl  = form{"fcvtl", 0x0e217800, "4s", "4h", ""}
	fcvtl2 = form{"fcvtl2", 0x4e217800, "4s", "8h", ""}
	fcvtn  = form{"fcvtn", 0x0e216800, "4h", "4s", ""}
	scvtf  = form{"scvtf", 0x4e21d800, "4s", "4s", ""}
	fcvtns = form{"fcvtns", 0x4e21a800, "4s", "4s", ""}
	frintn = form{"frintn", 0x4e218800, "4s", "4s", ""}
	fabs   = form{"fabs", 0x4ea0f800, "4s", "4s", ""}
	fneg   = form{"fneg", 0x6ea0f800, "4s", "4s", ""}
	xtn    = form{"xtn", 0x0e612800, "4h", "4s", ""}
	xtn2   = form{"xtn2", 0x4e612800, "8h", "4s", ""}
	xtnb   = form{"xtn", 0x0e212800, "8b", "8h", ""}
	sadalp = form{"sadalp", 0x4e606800, "4s", "8h", ""}
	saddlp = form{"saddlp", 0x4e602800, "4s", "8h", ""}
	uxtl   = form{"ushll", 0x2f08a400, "8h", "8b, #0", ""}
	uxtlh  = form{"ushll", 0x2f10a400, "4s", "4h, #0", ""}
	sxtl   = form{"sshll", 0x0f08a400, "8h", "8b, #0", ""}
	sxtlh  = form{"sshll", 0x0f10a400, "4s", "4h, #0", ""}
)

// v3 is op d, n, m.
func (f *arm) v3(o form, d, n, m int) {
	f.w(o.word|reg(m)<<16|reg(n)<<5|reg(d), "%s v%d.%s, v%d.%s, v%d.%s", o.op, d, o.d, n, o.n, m, o.m)
}

// v2 is op d, n.
func (f *arm) v2(o form, d, n int) {
	f.w(o.word|reg(n)<<5|reg(d), "%s v%d.%s, v%d.%s", o.op, d, o.d, n, o.n)
}

func reg(n int) uint32 {
	if n < 0 || n > 31 {
		panic("gen: register out of range")
	}
	return uint32(n)
}

// pair does v3 with both halves: registers d, d+1 and so on.
func (f *arm) pair(o form, d, n, m int) {
	f.v3(o, d, n, m)
	f.v3(o, d+1, n+1, m+1)
}

func (f *arm) mov(d, n int) { f.w(orr.word|reg(n)<<16|reg(n)<<5|reg(d), "mov v%d.16b, v%d.16b", d, n) }
func (f *arm) zero(d int)   { f.w(0x6f00e400|reg(d), "movi v%d.2d, #0000000000000000", d) }

// element is op d.4s, n.4s, m.s[i], or of bytes in fours.
func (f *arm) element(o form, d, n, m, i int) {
	words := map[string]uint32{"fmla": 0x4f801000, "fmul": 0x4f809000, "sdot": 0x4f80e000}
	at := "s"
	if o.op == "sdot" {
		at = "4b"
	}
	word := words[o.op] | uint32(i&1)<<21 | uint32(i>>1)<<11
	f.w(word|reg(m)<<16|reg(n)<<5|reg(d), "%s v%d.4s, v%d.%s, v%d.%s[%d]", o.op, d, n, o.n, m, at, i)
}

// dup repeats word i of n over d; dupr a general register.
func (f *arm) dup(d, n, i int) {
	f.w(0x4e040400|uint32(i)<<19|reg(n)<<5|reg(d), "dup v%d.4s, v%d.s[%d]", d, n, i)
}
func (f *arm) dupr(d, r int) { f.w(0x4e040c00|reg(r)<<5|reg(d), "dup v%d.4s, w%d", d, r) }

// Shifts of words by constants; ushrb of bytes.
func (f *arm) ushr(d, n, by int) {
	f.w(0x6f000400|uint32(64-by)<<16|reg(n)<<5|reg(d), "ushr v%d.4s, v%d.4s, #%d", d, n, by)
}
func (f *arm) sshr(d, n, by int) {
	f.w(0x4f000400|uint32(64-by)<<16|reg(n)<<5|reg(d), "sshr v%d.4s, v%d.4s, #%d", d, n, by)
}
func (f *arm) shl(d, n, by int) {
	f.w(0x4f005400|uint32(32+by)<<16|reg(n)<<5|reg(d), "shl v%d.4s, v%d.4s, #%d", d, n, by)
}
func (f *arm) ushrb(d, n, by int) {
	f.w(0x6f000400|uint32(16-by)<<16|reg(n)<<5|reg(d), "ushr v%d.16b, v%d.16b, #%d", d, n, by)
}

// fours makes a constant byte, repeated.
func (f *arm) movib(d, b int) {
	f.w(0x4f00e400|uint32(b>>5)<<16|uint32(b&31)<<5|reg(d), "movi v%d.16b, #%d", d, b)
}

// Folds over lanes into lane 0.
func (f *arm) umaxv(d, n int) { f.w(0x6eb0a800|reg(n)<<5|reg(d), "umaxv s%d, v%d.4s", d, n) }
func (f *arm) addv(d, n int)  { f.w(0x4eb1b800|reg(n)<<5|reg(d), "addv s%d, v%d.4s", d, n) }
func (f *arm) fmaxnmv(d, n int) {
	f.w(0x6e30c800|reg(n)<<5|reg(d), "fmaxnmv s%d, v%d.4s", d, n)
}

// fmovw moves lane 0 to a general register.
func (f *arm) fmovw(r, n int) { f.w(0x1e260000|reg(n)<<5|reg(r), "fmov w%d, s%d", r, n) }

// Scalars, in lane 0; the other lanes become 0.
var (
	fadds = form{op: "fadd", word: 0x1e202800}
	fmuls = form{op: "fmul", word: 0x1e200800}
	fdivs = form{op: "fdiv", word: 0x1e201800}
)

func (f *arm) s3(o form, d, n, m int) {
	f.w(o.word|reg(m)<<16|reg(n)<<5|reg(d), "%s s%d, s%d, s%d", o.op, d, n, m)
}
func (f *arm) scvtfw(d, r int) { f.w(0x1e220000|reg(r)<<5|reg(d), "scvtf s%d, w%d", d, r) }

// memory is the text of an address.
func memory(ptr, off int) string {
	if off == 0 {
		return fmt.Sprintf("[x%d]", ptr)
	}
	return fmt.Sprintf("[x%d, #%d]", ptr, off)
}

// width is a size of loads and stores: ld and st are their words.
type width struct {
	name   string
	size   int
	ld, st uint32
}

var (
	wsize16 = width{"q", 16, 0x3dc00000, 0x3d800000}
	wsize8  = width{"d", 8, 0xfd400000, 0xfd000000}
	wsize4  = width{"s", 4, 0xbd400000, 0xbd000000}
	wsize2  = width{"h", 2, 0x7d400000, 0x7d000000}
)

func (w width) at(off int) uint32 {
	if off < 0 || off%w.size != 0 || off/w.size > 4095 {
		panic(fmt.Sprintf("gen: offset %d of %s", off, w.name))
	}
	return uint32(off/w.size) << 10
}

// load fills the lowest bytes of t, the others with 0.
func (f *arm) load(w width, t, ptr, off int) {
	f.w(w.ld|w.at(off)|reg(ptr)<<5|reg(t), "ldr %s%d, %s", w.name, t, memory(ptr, off))
}
func (f *arm) store(w width, t, ptr, off int) {
	f.w(w.st|w.at(off)|reg(ptr)<<5|reg(t), "str %s%d, %s", w.name, t, memory(ptr, off))
}
func (f *arm) ldr(t, ptr, off int) { f.load(wsize16, t, ptr, off) }
func (f *arm) str(t, ptr, off int) { f.store(wsize16, t, ptr, off) }

// ldp and stp move registers t and t+1.
func (f *arm) ldp(t, ptr, off int) {
	f.w(0xad400000|pairAt(off)|reg(t+1)<<10|reg(ptr)<<5|reg(t), "ldp q%d, q%d, %s", t, t+1, memory(ptr, off))
}
func (f *arm) stp(t, ptr, off int) {
	f.w(0xad000000|pairAt(off)|reg(t+1)<<10|reg(ptr)<<5|reg(t), "stp q%d, q%d, %s", t, t+1, memory(ptr, off))
}

func pairAt(off int) uint32 {
	if off%16 != 0 || off < -1024 || off > 1008 {
		panic("gen: offset of a pair")
	}
	return uint32(off/16&127) << 15
}

// ld1r loads one word into all lanes; ld1s into lane i; ld1d two words into half i; both leave the other lanes.
func (f *arm) ld1r(t, ptr int) { f.w(0x4d40c800|reg(ptr)<<5|reg(t), "ld1r { v%d.4s }, [x%d]", t, ptr) }
func (f *arm) ld1s(t, i, ptr int) {
	f.w(0x0d408000|uint32(i>>1)<<30|uint32(i&1)<<12|reg(ptr)<<5|reg(t), "ld1 { v%d.s }[%d], [x%d]", t, i, ptr)
}
func (f *arm) ld1d(t, i, ptr int) {
	f.w(0x0d408400|uint32(i)<<30|reg(ptr)<<5|reg(t), "ld1 { v%d.d }[%d], [x%d]", t, i, ptr)
}
