package bench

import (
	"encoding/csv"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func printed(t *testing.T, format string, rows ...Row) string {
	t.Helper()
	var out strings.Builder
	p, err := NewPrinter(&out, format)
	require.NoError(t, err)
	for _, r := range rows {
		require.NoError(t, p.Row(r))
	}
	require.NoError(t, p.Close())
	return out.String()
}

func someRows() []Row {
	a := ModelRow{
		Shape: "h1024-l12", Quant: "none", Compute: "f32", KV: "f16", Level: "avx2", Threads: 2, Test: "pp512", TokS: 200, Limit: 400, Fraction: 0.5,
		Samples: []float64{200, 100}, TestCount: 512, Experts: 64, Touched: 63.5,
	}
	b := a
	b.Test, b.TestCount = "tg64", 64
	return []Row{a, b}
}

// TestJSON: the array is whole however many rows there are, and has the keys that the command promises.
func TestJSON(t *testing.T) {
	for n := range 3 {
		var list []map[string]any
		require.NoError(t, json.Unmarshal([]byte(printed(t, "json", someRows()[:n]...)), &list))
		require.Len(t, list, n)
		for _, row := range list {
			for _, key := range []string{
				"shape", "quant", "compute", "level", "threads", "test", "tok_s", "stddev", "limit_tok_s", "fraction", "active_bytes",
				"ops", "read_gb_s", "f32_gflops", "int8_gops", "allocs_per_token",
			} {
				require.Contains(t, row, key)
			}
		}
	}
}

func TestCSV(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(printed(t, "csv", someRows()...))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 3)
	require.Equal(t, []string{"shape", "quant", "compute"}, rows[0][:3])
	require.Equal(t, "tg64", rows[2][slices.Index(rows[0], "test")])
	require.Contains(t, rows[1], "200 100")
}

func TestMarkdown(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(printed(t, "md", someRows()...)), "\n")
	require.Len(t, lines, 4)
	for _, l := range lines {
		require.Equal(t, strings.Count(lines[0], "|"), strings.Count(l, "|"))
		require.Len(t, []rune(l), len([]rune(lines[0])))
	}
	require.Contains(t, lines[2], "63.5/64")
}

// TestBenchFormat holds the lines to golang.org/design/14313-benchmark-format: a name that begins with Benchmark and an
// upper-case letter and has no spaces, a count, and pairs of value and unit.
func TestBenchFormat(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(printed(t, "bench", someRows()...)), "\n")
	require.Regexp(t, `^goos: \w+$`, lines[0])
	require.Regexp(t, `^goarch: \w+$`, lines[1])
	require.Regexp(t, `^pkg: \S+$`, lines[2])
	line := regexp.MustCompile(`^Benchmark[A-Z]\S* \d+( [0-9.e+-]+ \S+)+$`)
	require.Len(t, lines, 3+2*2) // a line for each repetition
	for _, l := range lines[3:] {
		require.Regexp(t, line, l)
	}
	require.Contains(t, lines[3], "BenchmarkModel/shape=h1024-l12/quant=none/compute=f32/kv=f16/level=avx2/threads=2/test=pp512 1 2560000000 ns/op 200 tok/s 0.5 fraction")
}

func TestUnknownFormat(t *testing.T) {
	_, err := NewPrinter(&strings.Builder{}, "xml")
	require.ErrorContains(t, err, "md, csv, json, bench")
}
