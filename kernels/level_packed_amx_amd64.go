//go:build !purego

package kernels

func packedAMX() packKernels {
	k := pairTiles{fetch: fetchAVX512}
	k.pair[q8] = []func(*packedArgs){nil, tilesQ81AMX, tilesQ82AMX, tilesQ83AMX, tilesQ84AMX, tilesQ85AMX, tilesQ86AMX,
		tilesQ87AMX, tilesQ88AMX, tilesQ89AMX, tilesQ810AMX, tilesQ811AMX, tilesQ812AMX}
	k.pair[q4] = []func(*packedArgs){nil, tilesQ41AMX, tilesQ42AMX, tilesQ43AMX, tilesQ44AMX, tilesQ45AMX, tilesQ46AMX,
		tilesQ47AMX, tilesQ48AMX, tilesQ49AMX, tilesQ410AMX, tilesQ411AMX, tilesQ412AMX}
	k.widen[q8], k.widen[q4] = widenTilesQ8AMX, widenTilesQ4AMX
	p := packedAVX512VNNI()
	p.pair, p.macs, p.room = k.run, 32<<20, true
	return p
}
