//go:build !purego

package kernels

func levelNEON() level {
	return level{name: "neon", prims: primsGeneric(), mat: matNEON(), packed: packedNEON()}
}

// levelNEONDot is neon with dot products of bytes.
func levelNEONDot() level {
	l := levelNEON()
	l.name, l.packed = "neondot", packedNEONDot()
	return l
}

func matNEON() matKernels {
	m := matKernels{lanes: 8, rows: 3}
	m.tile[f32] = kernelsByRows{nil, tileF321x4NEON, tileF322x4NEON, tileF323x4NEON}
	m.tile[bf16] = kernelsByRows{nil, tileBF161x4NEON, tileBF162x4NEON, tileBF163x4NEON}
	m.tile[f16] = kernelsByRows{nil, tileF161x4NEON, tileF162x4NEON, tileF163x4NEON}
	m.row = [numFormats]kernelsByRows{{nil, rowF32NEON}, {nil, rowBF16NEON}, {nil, rowF16NEON}}
	m.first[f32] = kernelsByRows{nil, nil, firstF322x4NEON, firstF323x4NEON}
	m.first[bf16] = kernelsByRows{nil, nil, firstBF162x4NEON, firstBF163x4NEON}
	m.first[f16] = kernelsByRows{nil, nil, firstF162x4NEON, firstF163x4NEON}
	m.panel = kernelsByRows{nil, nil, panel2x4NEON, panel3x4NEON}
	for f := range numFormats {
		m.widen[f] = func(dst []float32, src []byte) { widenGeneric(dst, src, f) }
	}
	return m
}

func packedNEON() packKernels {
	k := packedTiles{}
	k.panel[q8] = []func(*packedArgs){nil, panelQ81NEON, panelQ82NEON, panelQ83NEON}
	k.panel[q4] = []func(*packedArgs){nil, panelQ41NEON, panelQ42NEON, panelQ43NEON}
	p := packedGeneric()
	p.macs, p.quant, p.panel = 2<<20, quantNEON, k.runPanel
	return p
}

func packedNEONDot() packKernels {
	k := packedTiles{}
	k.panel[q8] = []func(*packedArgs){nil, panelQ81NEONDot, panelQ82NEONDot, panelQ83NEONDot}
	k.panel[q4] = []func(*packedArgs){nil, panelQ41NEONDot, panelQ42NEONDot, panelQ43NEONDot}
	p := packedNEON()
	p.macs, p.panel = 4<<20, k.runPanel
	return p
}
