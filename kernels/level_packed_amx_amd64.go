//go:build !purego

package kernels

// tilesFrom is how many rows of X tiles need to make up for the widening of weights, which q4 needs either way.
var tilesFrom = [numPackFormats]int{q8: 64, q4: 32}

func packedAMX() packKernels {
	k := pairTiles{fetch: fetchAVX512}
	k.pair[q8] = []func(*tilesArgs){11: tilesQ811AMX, tilesQ812AMX, tilesQ813AMX, tilesQ814AMX, tilesQ815AMX, tilesQ816AMX}
	k.pair[q4] = []func(*tilesArgs){11: tilesQ411AMX, tilesQ412AMX, tilesQ413AMX, tilesQ414AMX, tilesQ415AMX, tilesQ416AMX}
	k.widen[q8], k.widen[q4] = widenTilesQ8AMX, widenTilesQ4AMX
	p := packedAVX512VNNI()
	few := p.pair
	p.pair = func(s *scratch, t *panelTask) {
		if t.x.Rows < tilesFrom[t.f] {
			few(s, t)
			return
		}
		k.run(s, t)
	}
	p.room = true
	return p
}
