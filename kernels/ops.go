package kernels

// Ops are the serial primitives of a level, for use inside jobs. All work on f32, allocate nothing and are safe for
// concurrent use. Reductions add in the fixed order of the level, so equal inputs give equal bits on every call.
// Lengths that do not fit are a broken contract and panic with the operation's name.
type Ops struct{ p prims }

// prims are the kernels behind Ops, one set per level; Ops has checked the arguments.
type prims struct {
	sum         func(x []float32) float32
	sumSq       func(x []float32, mean float32) float32
	dot         func(a, b []float32) float32
	max         func(x []float32) float32
	expSum      func(x []float32, max float32) float32
	scale       func(dst []float32, a float32)
	add         func(dst, x []float32)
	axpy        func(dst []float32, a float32, x []float32)
	mulScale    func(dst, x, w []float32, s float32)
	affine      func(dst, x, w, b []float32, mean, s float32)
	act         [numActivations]func(dst, x []float32)
	actMul      [numActivations]func(dst, gate, up []float32)
	rope        func(lo, hi, cos, sin []float32)
	attnScores  func(dst, q, k []float32, stride int, scale float32)
	attnMix     func(acc, p, v []float32, stride int)
	cols        [2][colsRows + 1]colsFunc // of f32 and f16, by rows; nil for generic
	softmaxStep softmaxStepFunc
	widenBF16   func(dst []float32, src []uint16)
	widenF16    func(dst []float32, src []uint16)
	narrowBF16  func(dst []uint16, src []float32)
	narrowF16   func(dst []uint16, src []float32)
	clampF16    func(dst []uint16, src []float32)
}

func primsGeneric() prims {
	return prims{
		sum: sumGeneric, sumSq: sumSqGeneric, dot: dotGeneric, max: maxGeneric, expSum: expSumGeneric,
		scale: scaleGeneric, add: addGeneric, axpy: axpyGeneric, mulScale: mulScaleGeneric, affine: affineGeneric,
		act: actGeneric, actMul: actMulGeneric, rope: ropeGeneric,
		attnScores: attnScoresGeneric, attnMix: attnMixGeneric,
		widenBF16: widenBF16Generic, widenF16: widenF16Generic,
		narrowBF16: narrowBF16Generic, narrowF16: narrowF16Generic, clampF16: clampF16Generic, softmaxStep: softmaxStepGeneric,
	}
}
