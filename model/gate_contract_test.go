package model_test

import (
	"testing"

	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/moe/moetest"
)

// The example's gate keeps the contract.
func TestExampleGate(t *testing.T) {
	spec := moe.GateSpec{Experts: 16, TopK: 4, Score: moe.ScoreSoftmax, Select: moe.SelectTopK, WeightFrom: moe.FromScore, Norm: moe.NormSum}
	moetest.TestGate(t, moetest.Subject{Width: 16, New: func() moe.Gate {
		own, err := moe.NewGate(spec, moe.RouterWeights{W: moetest.Identity(16)})
		if err != nil {
			t.Fatal(err)
		}
		return &sure{own: own}
	}})
}
