package grammar

// byteClasses parts the 256 bytes so that no node tells two of one class apart, and counts the parts. States are as small
// as their grammar allows, and stepping is a look into a table.
func byteClasses(nodes []*node) (class [256]uint8, count int) {
	sets := map[[4]uint64]bool{}
	for _, n := range nodes {
		switch n.kind {
		case kindClass:
			sets[n.set] = true
		case kindLit:
			for i := range len(n.text) {
				var one [4]uint64
				one[n.text[i]/64] = 1 << (n.text[i] % 64)
				sets[one] = true
			}
		}
	}
	count = 1
	for set := range sets {
		inside := map[uint8]uint8{} // of a class, what its bytes within the set become
		left := map[uint8]bool{}    // classes with bytes outside
		for b := range 256 {
			if set[b/64]>>(b%64)&1 == 0 {
				left[class[b]] = true
			}
		}
		for b := range 256 {
			if set[b/64]>>(b%64)&1 == 0 || !left[class[b]] {
				continue
			}
			to, ok := inside[class[b]]
			if !ok {
				to = uint8(count)
				inside[class[b]] = to
				count++
			}
			class[b] = to
		}
	}
	return class, count
}
