package tensor_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Every 16-bit pattern that is a number survives the way to f32 and back.
func TestHalvesRoundTrip(t *testing.T) {
	for i := range 1 << 16 {
		u := uint16(i)
		if f := tensor.BF16ToF32(u); f == f {
			require.Equal(t, u, tensor.F32ToBF16(f), "bf16 %#04x", u)
		}
		if f := tensor.F16ToF32(u); f == f {
			require.Equal(t, u, tensor.F32ToF16(f), "f16 %#04x", u)
		}
	}
}

func TestBF16RoundsToEven(t *testing.T) {
	assert.Equal(t, uint16(0x3f80), tensor.F32ToBF16(math.Float32frombits(0x3f808000)), "half way, even below")
	assert.Equal(t, uint16(0x3f82), tensor.F32ToBF16(math.Float32frombits(0x3f818000)), "half way, even above")
	assert.Equal(t, uint16(0x7f80), tensor.F32ToBF16(math.MaxFloat32), "too large")
	nan := tensor.BF16ToF32(tensor.F32ToBF16(math.Float32frombits(0x7f800001)))
	assert.True(t, nan != nan)
}

func TestF8(t *testing.T) {
	for b, want := range map[uint8]float32{0x00: 0, 0x01: 1.0 / 512, 0x08: 1.0 / 64, 0x38: 1, 0xb8: -1, 0x7e: 448, 0x3c: 1.5} {
		assert.Equal(t, want, tensor.F8E4M3ToF32(b), "e4m3 %#02x", b)
	}
	for _, b := range []uint8{0x7f, 0xff} {
		assert.True(t, math.IsNaN(float64(tensor.F8E4M3ToF32(b))))
	}
	for b, want := range map[uint8]float32{0x3c: 1, 0xc0: -2, 0x7b: 57344, 0x01: 1.0 / 65536} {
		assert.Equal(t, want, tensor.F8E5M2ToF32(b), "e5m2 %#02x", b)
	}
	assert.True(t, math.IsInf(float64(tensor.F8E5M2ToF32(0x7c)), 1))
}

func TestToF32OfEveryDType(t *testing.T) {
	for _, c := range []struct {
		d    tensor.DType
		data []byte
		want float32
	}{
		{tensor.F64, []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x3f}, 1.5},
		{tensor.F32, []byte{0, 0, 0xc0, 0x3f}, 1.5},
		{tensor.F16, []byte{0, 0x3e}, 1.5},
		{tensor.BF16, []byte{0xc0, 0x3f}, 1.5},
		{tensor.F8E4M3, []byte{0x3c}, 1.5},
		{tensor.F8E5M2, []byte{0x3e}, 1.5},
		{tensor.I64, []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, -2},
		{tensor.I32, []byte{0xfe, 0xff, 0xff, 0xff}, -2},
		{tensor.I16, []byte{0xfe, 0xff}, -2},
		{tensor.I8, []byte{0xfe}, -2},
		{tensor.U8, []byte{0xfe}, 254},
		{tensor.Bool, []byte{1}, 1},
	} {
		x := &tensor.Tensor{DType: c.d, Shape: tensor.Shape{1}, Data: c.data}
		got := make([]float32, 1)
		require.NoError(t, tensor.ToF32(got, x))
		assert.Equal(t, c.want, got[0], c.d.String())
	}
	assert.Error(t, tensor.ToF32(nil, tensor.New(tensor.F32, 1)))
	assert.Error(t, tensor.ToF32(make([]float32, 1), tensor.New(tensor.U64, 1)))
}
