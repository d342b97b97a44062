package roofline

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func picture() Picture {
	panel := Panel{
		Title: "avx2", Slopes: []Line{{"memory", 30}, {"caches", 300}}, Ceilings: []Line{{"f32", 200}, {"int8", 700}, {"bf16", 0}},
		Points: []Point{
			{"matmul f32", "f32", "1", 0.5, 14}, {"matmul f32", "f32", "512", 100, 180}, {"pack & go", "int8", "8", 4, 90},
		},
	}
	other := panel
	other.Title = "generic"
	return Picture{Title: "Kernels", Panels: []Panel{panel, other}}
}

func TestPNG(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, Write(&out, "a.png", picture()))
	img, err := png.Decode(&out)
	require.NoError(t, err)
	require.InDelta(t, 13*dpi, img.Bounds().Dx(), 2)
	require.InDelta(t, 2*7.5*dpi, img.Bounds().Dy(), 2, "two panels")
	colours := map[[3]uint32]bool{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			r, g, b, _ := img.At(x, y).RGBA()
			colours[[3]uint32{r >> 8, g >> 8, b >> 8}] = true
		}
	}
	require.True(t, colours[[3]uint32{0x00, 0x72, 0xb2}] && colours[[3]uint32{0xd5, 0x5e, 0x00}], "points of both kinds")
}

// TestSVG: the text is XML, and says every name.
func TestSVG(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, Write(&out, "a.svg", picture()))
	d, words := xml.NewDecoder(bytes.NewReader(out.Bytes())), ""
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if c, ok := tok.(xml.CharData); ok {
			words += string(c)
		}
	}
	for _, w := range []string{"Kernels · avx2", "generic", "matmul f32", "pack & go", "memory 30 GB/s", "int8 700 Gop/s", "512"} {
		require.Contains(t, words, w)
	}
	require.NotContains(t, words, "bf16", "a limit that is not known is not drawn")
}

// TestAnyFigures: no figures, one figure, or figures that cannot be on a logarithmic axis make a picture and no panic.
func TestAnyFigures(t *testing.T) {
	for name, n := range map[string]Panel{
		"empty":   {},
		"point":   {Points: []Point{{"a", "a", "", 1, 1}}},
		"limits":  {Slopes: []Line{{"m", 10}}, Ceilings: []Line{{"f", 10}}},
		"zero":    {Points: []Point{{"a", "a", "", 0, 0}, {"a", "a", "", 1, 5}}},
		"not one": {Points: []Point{{"a", "a", "", math.NaN(), math.Inf(1)}, {"a", "a", "", 1, 5}}},
	} {
		var out bytes.Buffer
		require.NoError(t, Write(&out, "x.png", Picture{Panels: []Panel{n}}), name)
		_, err := png.Decode(&out)
		require.NoError(t, err, name)
	}
}

func TestCheck(t *testing.T) {
	require.NoError(t, Check("a/b.svg"))
	require.ErrorContains(t, Check("a.gif"), ".png")
	require.Error(t, Write(&strings.Builder{}, "a", picture()))
}
