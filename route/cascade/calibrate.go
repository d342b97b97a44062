package cascade

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Row is an answer whose worth is known.
type Row struct {
	Score  float64 `json:"score"`  // of the local answer
	Weak   bool    `json:"weak"`   // the local answer is right
	Strong bool    `json:"strong"` // the bigger model's is
}

// Calibration is a threshold and what it gives on the rows that it was found on.
type Calibration struct {
	Threshold float64 `json:"threshold"`
	Share     float64 `json:"share"`   // of the rows that escalate
	Quality   float64 `json:"quality"` // share of right answers, with escalation
	Weak      float64 `json:"weak"`    // with none
	Strong    float64 `json:"strong"`  // with nothing but
	Rows      int     `json:"rows"`
}

// What calibration fails with.
var (
	ErrRows    = errors.New("rows to calibrate on")
	ErrQuality = errors.New("no threshold reaches the quality")
)

// Curve lists what every threshold that makes a difference gives, by rising share: rows with the same score go together. The
// first escalates nothing, the last everything.
func Curve(rows []Row) ([]Calibration, error) {
	if len(rows) == 0 {
		return nil, fmt.Errorf("%w: there are none", ErrRows)
	}
	sorted := slices.Clone(rows)
	weak, strong := 0, 0
	for i, r := range sorted {
		if math.IsNaN(r.Score) {
			return nil, fmt.Errorf("%w: the score of row %d is no number", ErrRows, i+1)
		}
		weak += one(r.Weak)
		strong += one(r.Strong)
	}
	slices.SortFunc(sorted, func(a, b Row) int { return compare(a.Score, b.Score) })
	n, right := float64(len(rows)), weak
	at := func(threshold float64, escalated int) Calibration {
		return Calibration{threshold, float64(escalated) / n, float64(right) / n, float64(weak) / n, float64(strong) / n, len(rows)}
	}
	curve := []Calibration{at(sorted[0].Score, 0)}
	for i, r := range sorted {
		right += one(r.Strong) - one(r.Weak)
		switch {
		case i+1 == len(sorted):
			curve = append(curve, at(math.Nextafter(r.Score, math.Inf(1)), i+1))
		case sorted[i+1].Score > r.Score:
			curve = append(curve, at(between(r.Score, sorted[i+1].Score), i+1))
		}
	}
	return curve, nil
}

// between is a threshold above a and at most b, in the middle where there is one.
func between(a, b float64) float64 {
	if mid := a + (b-a)/2; mid > a && mid < b {
		return mid
	}
	return b
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ForShare is the threshold that escalates as many rows as it can without going above a share.
func ForShare(rows []Row, share float64) (Calibration, error) {
	if !(share >= 0 && share <= 1) {
		return Calibration{}, fmt.Errorf("%w: the share is %v, want 0 to 1", ErrOptions, share)
	}
	curve, err := Curve(rows)
	if err != nil {
		return Calibration{}, err
	}
	best := curve[0]
	for _, c := range curve {
		if c.Share <= share {
			best = c
		}
	}
	return best, nil
}

// ForQuality is the threshold with the smallest share whose answers, with escalation, are right in a share of the rows.
func ForQuality(rows []Row, quality float64) (Calibration, error) {
	curve, err := Curve(rows)
	if err != nil {
		return Calibration{}, err
	}
	best := curve[0]
	for _, c := range curve {
		if c.Quality >= quality {
			return c, nil
		}
		if c.Quality > best.Quality {
			best = c
		}
	}
	return best, fmt.Errorf("%w: want %v, the best is %v at a share of %v", ErrQuality, quality, best.Quality, best.Share)
}
