//go:build !purego

package kernels

func packedAVX2() packKernels {
	k := packedTiles{}
	k.panel[q8] = []func(*packedArgs){nil, panelQ81AVX2, panelQ82AVX2, panelQ83AVX2}
	k.panel[q4] = []func(*packedArgs){nil, panelQ41AVX2, panelQ42AVX2, panelQ43AVX2}
	k.group[q8] = [numGroups][]func(*packedArgs){{nil, panelsQ81x4AVX2}, {nil, panelsQ81x2AVX2, panelsQ82x2AVX2}}
	k.group[q4] = [numGroups][]func(*packedArgs){{nil, panelsQ41x4AVX2}, {nil, panelsQ41x2AVX2, panelsQ42x2AVX2}}
	p := packedGeneric()
	p.macs, p.quant, p.panel = 4<<20, quantAVX2, k.runPanel
	p.group, p.groupRows = k.runGroup, [numGroups]int{1, 2}
	return p
}

func packedAVXVNNI() packKernels {
	k := packedTiles{}
	k.panel[q8] = []func(*packedArgs){nil, panelQ81AVXVNNI, panelQ82AVXVNNI, panelQ83AVXVNNI}
	k.panel[q4] = []func(*packedArgs){nil, panelQ41AVXVNNI, panelQ42AVXVNNI, panelQ43AVXVNNI}
	k.group[q8] = [numGroups][]func(*packedArgs){{nil, panelsQ81x4AVXVNNI}, {nil, panelsQ81x2AVXVNNI, panelsQ82x2AVXVNNI}}
	k.group[q4] = [numGroups][]func(*packedArgs){{nil, panelsQ41x4AVXVNNI}, {nil, panelsQ41x2AVXVNNI, panelsQ42x2AVXVNNI}}
	p := packedGeneric()
	p.macs, p.quant, p.panel = 4<<20, quantAVX2, k.runPanel
	p.group, p.groupRows = k.runGroup, [numGroups]int{1, 2}
	return p
}
