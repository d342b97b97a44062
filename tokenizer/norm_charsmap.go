package tokenizer

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// charsMap is sentencepiece's compiled table of replacements: a double-array trie of 32-bit units whose
// values point into a block of NUL-ended strings. Reference: spm_precompiled and tokenizers,
// normalizers/precompiled.rs.
type charsMap struct {
	units []uint32
	texts string
}

func newCharsMap(f *field) (*charsMap, error) {
	raw, err := base64.StdEncoding.DecodeString(f.string("precompiled_charsmap"))
	if err != nil || len(raw) < 4 {
		return nil, badf("normalizer.precompiled_charsmap: want base64 of at least 4 bytes")
	}
	n := int(binary.LittleEndian.Uint32(raw)) / 4
	raw = raw[4:]
	if n < 1 || n > len(raw)/4 {
		return nil, badf("normalizer.precompiled_charsmap: trie of %d units in %d bytes", n, len(raw))
	}
	c := &charsMap{units: make([]uint32, n), texts: string(raw[4*n:])}
	for i := range c.units {
		c.units[i] = binary.LittleEndian.Uint32(raw[4*i:])
	}
	if !utf8.ValidString(c.texts) {
		return nil, badf("normalizer.precompiled_charsmap: replacements are not UTF-8")
	}
	return c, nil
}

// find returns the replacement of the shortest entry that part begins with: the reference takes the first
// result of its search, not the longest.
func (c *charsMap) find(part string) (string, bool) {
	unit := c.units[0]
	at := unitOffset(unit)
	for i := 0; i < len(part) && part[i] != 0; i++ {
		at ^= uint32(part[i])
		if int(at) >= len(c.units) {
			return "", false
		}
		if unit = c.units[at]; unit&(1<<31|0xFF) != uint32(part[i]) {
			return "", false
		}
		at ^= unitOffset(unit)
		if unit>>8&1 == 1 {
			return c.text(at)
		}
	}
	return "", false
}

func unitOffset(u uint32) uint32 { return u >> 10 << (u & (1 << 9) >> 6) }

func (c *charsMap) text(at uint32) (string, bool) {
	if int(at) >= len(c.units) {
		return "", false
	}
	from := int(c.units[at] & (1<<31 - 1))
	if from > len(c.texts) || from < len(c.texts) && !utf8.RuneStart(c.texts[from]) {
		return "", false
	}
	s, _, _ := strings.Cut(c.texts[from:], "\x00")
	return s, true
}

// normalize looks up grapheme clusters of less than six bytes as a whole, everything else by character.
func (c *charsMap) normalize(p *piece) error {
	out := make([]change, 0, len(p.text))
	changed := false
	lookup := func(part string) bool {
		s, ok := c.find(part)
		if ok {
			changed = true
			out = appendReplacement(out, part, s)
		}
		return ok
	}
	rest, state := p.text, -1
	for rest != "" {
		var cluster string
		if n := asciiCluster(rest); n > 0 {
			cluster, rest, state = rest[:n], rest[n:], -1
		} else {
			cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		}
		if len(cluster) < 6 && lookup(cluster) {
			continue
		}
		for i, r := range cluster {
			if !lookup(cluster[i : i+utf8.RuneLen(r)]) {
				out = append(out, change{r: r})
			}
		}
	}
	if !changed {
		return nil
	}
	return p.transform(out, 0)
}

// asciiCluster returns 1 where text begins with a printable ASCII character before another: a cluster for sure.
func asciiCluster(text string) int {
	if ' ' <= text[0] && text[0] < 0x7F && (len(text) == 1 || text[1] < 0x80) {
		return 1
	}
	return 0
}

// appendReplacement adds new in the place of old: surplus characters are new, missing ones vanish after the
// last character of out, whichever replacement that came from.
func appendReplacement(out []change, old, new string) []change {
	diff := utf8.RuneCountInString(new) - utf8.RuneCountInString(old)
	for _, r := range new {
		out = append(out, change{r: r})
	}
	for i := len(out) - 1; i >= max(len(out)-diff, 0); i-- {
		out[i].n = 1
	}
	if diff < 0 && len(out) > 0 {
		out[len(out)-1].n += diff
	}
	return out
}
