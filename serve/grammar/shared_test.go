package grammar

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// words is a vocabulary: every byte, and tokens that run over many characters, items and ends at once.
type words []string

func (w words) VocabSize() int { return len(w) }

func (w words) Bytes(id int32) ([]byte, bool) { return []byte(w[id]), true }

func testWords() words {
	var w words
	for b := range 256 {
		w = append(w, string([]byte{byte(b)}))
	}
	for n := 2; n < 40; n++ {
		w = append(w, strings.Repeat("a", n), strings.Repeat(" ", n), strings.Repeat("1", n))
		if n < 20 {
			w = append(w, strings.Repeat("a", n)+`"`, strings.Repeat("é", n), strings.Repeat("1,", n), strings.Repeat("1, ", n)+"1]")
		}
	}
	return append(w, `","`, `", "`, `"]`, `"}`, `\n\n`, `\u00e9`, "a", "aa") // two texts twice
}

// Masks are what trying every token gives, also where states of other counts have left theirs, and near the bounds.
func TestSharedMasks(t *testing.T) {
	v := NewVocab(testWords(), len(testWords()))
	rng := rand.New(rand.NewPCG(6, 7))
	for _, schema := range []string{
		`{"type":"string","minLength":40,"maxLength":75}`, `{"type":"string","maxLength":30}`, `{"type":"string","minLength":60}`,
		`{"type":"array","items":{"type":"integer"},"minItems":25,"maxItems":60}`, `{"type":"string","pattern":"^(ab?){3,50}$"}`,
		`{"type":"array","items":{"type":"string","minLength":2,"maxLength":40},"minItems":3,"maxItems":24}`,
		`{"type":"object","properties":{"a":{"type":"string","maxLength":19},"b":{"type":"array","items":{"type":"number"},"maxItems":20}},"required":["a","b"]}`,
	} {
		g, err := v.Schema([]byte(schema))
		require.NoError(t, err)
		for range 6 {
			c := g.New()
			limit := g.Least() + 20 + rng.IntN(60)
			for n := 0; n < limit && !c.Done(); n++ {
				remaining := limit - n
				got := c.Mask(remaining, nil)
				var allowed []int32
				for id, text := range v.bytes {
					at := c.at
					for i := 0; i < len(text) && at != nil; i++ {
						at = g.a.step(at, text[i])
					}
					want := at != nil && at.least <= remaining-1
					require.Equal(t, want, got[id/64]>>(id%64)&1 != 0, "%s: token %q behind %d, %d left", schema, text, n, remaining)
					if want {
						allowed = append(allowed, int32(id))
					}
				}
				if len(allowed) == 0 {
					break // complete
				}
				c.Accept(allowed[rng.IntN(len(allowed))])
			}
			require.True(t, c.at.accept, schema)
		}
		require.NotEmpty(t, g.a.masks)
	}
}

// A byte's class tells it from every other that a node tells it from.
func TestByteClasses(t *testing.T) {
	b := &builder{v: NewVocab(testWords(), 256)}
	b.seq(b.lit("abc"), b.class('0', '9', 'b', 'd'), b.class('5', 'c'))
	class, count := byteClasses(b.nodes)
	most := 0
	for x := range 256 {
		most = max(most, int(class[x]))
		for y := range 256 {
			same := true
			for _, n := range b.nodes {
				if n.kind == kindClass {
					same = same && n.set[x/64]>>(x%64)&1 == n.set[y/64]>>(y%64)&1
				}
			}
			same = same && (x == y || !strings.ContainsRune("abc", rune(x)) && !strings.ContainsRune("abc", rune(y)))
			require.Equal(t, same, class[x] == class[y], "%q %q", x, y)
		}
	}
	require.Equal(t, count-1, most)
}
