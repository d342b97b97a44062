package tokenizer

// noMerge is the answer for a pair that does not merge; it is above every rank.
const noMerge = ^uint64(0)

// pairTable maps a pair of ids to rank<<32 | id of the merged token: open addressing, at most two
// thirds full.
type pairTable struct {
	slots []pairSlot
	shift uint
}

// pairSlot holds the key + 1, 0 while free; no key is 2^64-1 since ids are below 2^31.
type pairSlot struct{ key, val uint64 }

func (t *pairTable) init(n int) {
	bits := uint(4)
	for 1<<bits < n+n/2 {
		bits++
	}
	t.slots, t.shift = make([]pairSlot, 1<<bits), 64-bits
}

func pairKey(l, r int32) uint64 { return uint64(uint32(l))<<32 | uint64(uint32(r)) }

func (t *pairTable) slot(key uint64) int {
	return int((key ^ key>>29) * 0x9E3779B97F4A7C15 >> t.shift)
}

// set records a merge; of equal pairs the last counts, as in the reference.
func (t *pairTable) set(l, r, rank, id int32) {
	key := pairKey(l, r)
	i := t.slot(key)
	for t.slots[i].key != key+1 && t.slots[i].key != 0 {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = pairSlot{key + 1, uint64(rank)<<32 | uint64(uint32(id))}
}

func (t *pairTable) get(l, r int32) uint64 {
	key := pairKey(l, r)
	for i := t.slot(key); ; i++ {
		s := &t.slots[i&(len(t.slots)-1)]
		switch s.key {
		case key + 1:
			return s.val
		case 0:
			return noMerge
		}
	}
}
