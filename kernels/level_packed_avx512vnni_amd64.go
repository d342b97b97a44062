//go:build !purego

package kernels

import "unsafe"

func packedAVX512VNNI() packKernels {
	k := packedTiles{}
	k.panel[q8] = []func(*packedArgs){nil, panelQ81AVX512, panelQ82AVX512, panelQ83AVX512, panelQ84AVX512, panelQ85AVX512, panelQ86AVX512,
		panelQ87AVX512, panelQ88AVX512, panelQ89AVX512, panelQ810AVX512, panelQ811AVX512, panelQ812AVX512}
	k.panel[q4] = []func(*packedArgs){nil, panelQ41AVX512, panelQ42AVX512, panelQ43AVX512, panelQ44AVX512, panelQ45AVX512, panelQ46AVX512,
		panelQ47AVX512, panelQ48AVX512, panelQ49AVX512, panelQ410AVX512, panelQ411AVX512, panelQ412AVX512}
	k.group[q8] = [numGroups][]func(*packedArgs){{nil, panelsQ81x4AVX512, panelsQ82x4AVX512, panelsQ83x4AVX512},
		{nil, panelsQ81x2AVX512, panelsQ82x2AVX512, panelsQ83x2AVX512, panelsQ84x2AVX512, panelsQ85x2AVX512, panelsQ86x2AVX512}}
	k.group[q4] = [numGroups][]func(*packedArgs){{nil, panelsQ41x4AVX512, panelsQ42x4AVX512, panelsQ43x4AVX512},
		{nil, panelsQ41x2AVX512, panelsQ42x2AVX512, panelsQ43x2AVX512, panelsQ44x2AVX512, panelsQ45x2AVX512, panelsQ46x2AVX512}}
	k.fetch = fetchAVX512
	k.pair[q8] = []func(*packedArgs){nil, pairQ81AVX512, pairQ82AVX512, pairQ83AVX512, pairQ84AVX512, pairQ85AVX512, pairQ86AVX512}
	k.pair[q4] = []func(*packedArgs){nil, pairQ41AVX512, pairQ42AVX512, pairQ43AVX512, pairQ44AVX512, pairQ45AVX512, pairQ46AVX512}
	k.widen[q8] = func(b *pairBuffer, p, _ unsafe.Pointer, steps int) unsafe.Pointer {
		widenQ8AVX512((*byte)(unsafe.Pointer(&b.scale[0])), (*byte)(p), steps)
		return p
	}
	k.widen[q4] = func(b *pairBuffer, p, head unsafe.Pointer, steps int) unsafe.Pointer {
		widenQ4AVX512((*byte)(unsafe.Pointer(&b.scale[0])), &b.data[0], (*byte)(p), (*byte)(head), steps)
		return unsafe.Pointer(&b.data[0])
	}
	p := packedGeneric()
	p.macs, p.quant, p.panel, p.pair = 16<<20, quantAVX512, k.runPanel, k.runPair
	p.group, p.groupRows, p.claim = k.runGroup, [numGroups]int{3, 12}, claimAVX512
	p.pack[q8] = func(p *panelPacking) { packQ8AVX512(&p.dst[0], &p.w[0], 4*p.stride(), p.steps, &p.tmp[0]) }
	p.pack[q4] = func(p *panelPacking) {
		fitQ4AVX512(&p.fit[0], &p.w[0], 4*p.stride(), 2*p.steps, &p.tmp[0])
		p.roundFit()
		roundQ4AVX512(&p.dst[q4Head], &p.w[0], 4*p.stride(), p.steps, &p.dst[0])
	}
	return p
}
