package model

import (
	"fmt"
	"math"
)

// RopeKind names how rotary frequencies are stretched to longer contexts.
type RopeKind string

// The kinds of rope_parameters.rope_type; formulas as in the reference's modeling_rope_utils.py.
const (
	RopeDefault RopeKind = "default"
	RopeLinear  RopeKind = "linear"
	RopeDynamic RopeKind = "dynamic"
	RopeLlama3  RopeKind = "llama3"
	RopeYarn    RopeKind = "yarn"
	RopeLong    RopeKind = "longrope"
)

// Rope describes a rotary position embedding: pair i of the first Dim elements of a head turns by pos·freq(i), and
// cos and sin are multiplied by a magnitude.
type Rope struct {
	Kind   RopeKind `json:"kind"`
	Theta  float64  `json:"theta"`
	Dim    int      `json:"dim"`              // rotated elements of a head (partial rotary factor applied)
	Factor float64  `json:"factor,omitempty"` // how much longer than Original the context is

	Original int `json:"original,omitempty"` // context before stretching

	LowFreq  float64 `json:"low_freq_factor,omitempty"`  // llama3
	HighFreq float64 `json:"high_freq_factor,omitempty"` // llama3

	BetaFast   float64 `json:"beta_fast,omitempty"`        // yarn
	BetaSlow   float64 `json:"beta_slow,omitempty"`        // yarn
	NoTruncate bool    `json:"no_truncate,omitempty"`      // yarn: borders of the ramp are not rounded
	Magnitude  float64 `json:"attention_factor,omitempty"` // yarn, longrope: of cos and sin; 0 means 1

	Short []float64 `json:"short_factor,omitempty"` // longrope: per pair, up to Original positions
	Long  []float64 `json:"long_factor,omitempty"`  // longrope: per pair, beyond

	ShortMagnitude float64 `json:"short_mscale,omitempty"` // phimoe: magnitude by length instead of Magnitude
	LongMagnitude  float64 `json:"long_mscale,omitempty"`
}

func (r *Rope) validate() error {
	switch {
	case r.Dim%2 != 0 || r.Dim <= 0:
		return fmt.Errorf("rotary dimension: want an even number over 0, found %d", r.Dim)
	case !(r.Theta > 1):
		return fmt.Errorf("rope_theta: want more than 1, found %v", r.Theta)
	case r.Kind == RopeDynamic && r.Dim <= 2:
		return fmt.Errorf("rotary dimension: want more than 2 for rope_type dynamic, found %d", r.Dim)
	case r.Kind == RopeLong && (len(r.Short) != r.Dim/2 || len(r.Long) != r.Dim/2):
		return fmt.Errorf("short_factor and long_factor: want %d values each, found %d and %d", r.Dim/2, len(r.Short), len(r.Long))
	}
	return nil
}

// plan picks the variant of the embedding that a sequence of the given length uses; prev is the variant it has used
// so far, 0 for none. Only two kinds ever have more than one: longrope has its short and its long form, and dynamic
// grows its base with the length. When a sequence outgrows its plan, its cache is computed again under the new one.
//
// Dynamic beyond the original context: the reference takes the length of each call, which no cache can follow. Here a
// sequence takes the length it starts with, and doubles it whenever it is outgrown.
func (r *Rope) plan(prev, length int) int {
	switch r.Kind {
	case RopeLong:
		if length > r.Original {
			return 2
		}
		return max(prev, 1)
	case RopeDynamic:
		if prev == 0 {
			return max(length, r.Original)
		}
		for prev < length {
			prev *= 2
		}
		return prev
	}
	return 1
}

// frequencies gives the Dim/2 turning speeds (radians per position) and the magnitude of cos and sin under a plan.
// Arithmetic is f32 where the reference's is, so that angles agree to the last bit or nearly so.
func (r *Rope) frequencies(plan int) ([]float32, float32) {
	base := r.Theta
	if r.Kind == RopeDynamic && plan > r.Original {
		stretch := r.Factor*float64(plan)/float64(r.Original) - (r.Factor - 1)
		base *= math.Pow(stretch, float64(r.Dim)/float64(r.Dim-2))
	}
	freq := make([]float32, r.Dim/2)
	for i := range freq {
		freq[i] = 1 / float32(math.Pow(base, float64(float32(2*i)/float32(r.Dim))))
	}
	switch r.Kind {
	case RopeLinear:
		for i := range freq {
			freq[i] /= float32(r.Factor)
		}
	case RopeLlama3:
		r.llama3(freq)
	case RopeYarn:
		r.yarn(freq)
	case RopeLong:
		r.long(freq, plan)
	}
	return freq, r.magnitude(plan)
}

// llama3 slows long waves by Factor, keeps short ones, and blends between.
func (r *Rope) llama3(freq []float32) {
	longest, shortest := float64(r.Original)/r.LowFreq, float64(r.Original)/r.HighFreq
	for i, f := range freq {
		wave := 2 * math.Pi / float64(f)
		switch {
		case wave > longest:
			freq[i] = float32(float64(f) / r.Factor)
		case wave >= shortest:
			smooth := (float64(r.Original)/wave - r.LowFreq) / (r.HighFreq - r.LowFreq)
			freq[i] = float32((1-smooth)*float64(f)/r.Factor + smooth*float64(f))
		}
	}
}

// yarn (arXiv 2309.00071) interpolates pairs that turn rarely within the original context, keeps those that turn
// often, with a linear ramp between.
func (r *Rope) yarn(freq []float32) {
	border := func(turns float64) float64 {
		return float64(r.Dim) * math.Log(float64(r.Original)/(turns*2*math.Pi)) / (2 * math.Log(r.Theta))
	}
	low, high := border(r.BetaFast), border(r.BetaSlow)
	if !r.NoTruncate {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(r.Dim-1))
	if low == high {
		high += 0.001
	}
	for i, f := range freq {
		ramp := min(max((float64(i)-low)/(high-low), 0), 1)
		freq[i] = float32(float64(f)/r.Factor*ramp + float64(f)*(1-ramp))
	}
}

// long divides each pair's speed by its own factor. With length-dependent magnitudes (phimoe) the reference keeps the
// short factors at every length: its forward pass computes the frequencies anew without a length.
func (r *Rope) long(freq []float32, plan int) {
	factors := r.Short
	if plan == 2 && r.LongMagnitude == 0 {
		factors = r.Long
	}
	for i := range freq {
		power := float32(math.Pow(r.Theta, float64(float32(2*i)/float32(r.Dim))))
		freq[i] = 1 / (float32(factors[i]) * power)
	}
}

func (r *Rope) magnitude(plan int) float32 {
	switch {
	case r.LongMagnitude != 0 && plan == 2:
		return float32(r.LongMagnitude)
	case r.ShortMagnitude != 0:
		return float32(r.ShortMagnitude)
	case r.Magnitude != 0:
		return float32(r.Magnitude)
	}
	return 1
}

// ropeTable holds cos and sin of every position met so far under one plan; it grows on demand.
type ropeTable struct {
	freq     []float32
	scale    float32
	cos, sin []float32 // [positions, Dim/2]
}

func newRopeTable(r *Rope, plan int) *ropeTable {
	freq, scale := r.frequencies(plan)
	return &ropeTable{freq: freq, scale: scale}
}

// grow makes the table cover positions below n.
func (t *ropeTable) grow(n int) {
	half := len(t.freq)
	for pos := len(t.cos) / half; pos < n; pos++ {
		for _, f := range t.freq {
			angle := float64(float32(pos) * f)
			t.cos = append(t.cos, float32(math.Cos(angle))*t.scale)
			t.sin = append(t.sin, float32(math.Sin(angle))*t.scale)
		}
	}
}

// at gives cos and sin [Dim/2] of a position that grow has covered.
func (t *ropeTable) at(pos int) (cos, sin []float32) {
	half := len(t.freq)
	return t.cos[pos*half : (pos+1)*half], t.sin[pos*half : (pos+1)*half]
}
