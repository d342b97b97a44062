package main

// peakTiles measures products of whole tiles, four of them independent.
func peakTiles(f *file, d *decls, name, of string, dot tileDot) {
	d.add(f, name, "(n int)", "does n times 4 independent products of tiles of "+of+".")
	f.begin(name, "func "+name+f.suffix+"(n int)", 0, 8)
	f.p("MOVQ n+0(FP), CX")
	f.p("LEAQ %s, AX", f.words(wholeTiles()))
	f.tileConfig(0, "AX")
	for i := range 4 {
		f.tileZero(i)
		f.p("LEAQ %s, AX", f.words(operand(i, f.lanes)))
		f.tileLoad(tileMem{0, "AX", ""}, 4+i)
	}
	f.p("loop:")
	for i := range 4 {
		f.tileDot(dot, 6+i/2, 4+i%2, i)
	}
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.tileRelease()
	f.end()
}

// wholeTiles is the configuration of 8 tiles of 16 rows of 64 bytes.
func wholeTiles() []uint32 {
	w := make([]uint32, 16)
	w[0] = 1
	for i := range 4 {
		w[4+i] = 64 | 64<<16
	}
	w[12], w[13] = 0x10101010, 0x10101010
	return w
}
