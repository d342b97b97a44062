package learn

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
)

// Sparse is a row of few non-zero features: Index ascending, Value of the same length.
type Sparse struct {
	Index []int32
	Value []float32
}

// NGrams turns a text into a sparse row: words and pairs of words, and where Chars is set n-grams of characters inside
// words as well, hashed into Buckets. A feature's value is the square root of its count; the row's length is Scale.
// Source: feature hashing, Weinberger et al., arXiv 0902.2206 (without signs).
type NGrams struct {
	Buckets int     `json:"buckets"`
	Chars   int     `json:"chars,omitempty"` // longest n-gram of characters, from 3 on; 0: none
	Scale   float32 `json:"scale,omitempty"` // 0 means 1; beside dense features it says how much the n-grams count
}

// Row is the row of a text.
func (g NGrams) Row(text string) Sparse {
	counts := map[int32]float32{}
	last := ""
	for _, w := range words(text) {
		counts[g.bucket("w", w)]++
		if last != "" {
			counts[g.bucket("p", last+" "+w)]++
		}
		last = w
		g.chars(counts, w)
	}
	return normalised(counts, cmp.Or(g.Scale, 1))
}

func (g NGrams) chars(counts map[int32]float32, word string) {
	runes := []rune("<" + word + ">")
	for n := 3; n <= g.Chars; n++ {
		for i := 0; i+n <= len(runes); i++ {
			counts[g.bucket("c", string(runes[i:i+n]))]++
		}
	}
}

// bucket hashes with FNV-1a, which is the same on every machine and in every release.
func (g NGrams) bucket(kind, s string) int32 {
	h := uint64(14695981039346656037)
	for _, part := range [2]string{kind, s} {
		for i := range len(part) {
			h = (h ^ uint64(part[i])) * 1099511628211
		}
	}
	return int32((h ^ h>>29) % uint64(g.Buckets))
}

// words cuts a text into lower-case runs of letters and digits; every other visible character is a word of its own.
func words(text string) []string {
	var out []string
	start := -1
	text = strings.ToLower(text)
	end := func(at int) {
		if start >= 0 {
			out = append(out, text[start:at])
			start = -1
		}
	}
	for i, r := range text {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r):
			if start < 0 {
				start = i
			}
		default:
			end(i)
			if !unicode.IsSpace(r) {
				out = append(out, string(r))
			}
		}
	}
	end(len(text))
	return out
}

func normalised(counts map[int32]float32, scale float32) Sparse {
	s := Sparse{Index: make([]int32, 0, len(counts))}
	total := 0.0
	for i, c := range counts {
		s.Index = append(s.Index, i)
		total += float64(c)
	}
	slices.SortFunc(s.Index, cmp.Compare[int32])
	s.Value = make([]float32, len(s.Index))
	for j, i := range s.Index {
		s.Value[j] = scale * float32(math.Sqrt(float64(counts[i])/total))
	}
	return s
}
