//go:build unix

package tokenizer

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cpuTime is the user time of this process: a loaded machine does not change it much.
func cpuTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano())
}

// BenchmarkCorpus encodes the file that SWITCHYARD_CORPUS names, once per round, in megabytes per second of
// user time.
func BenchmarkCorpus(b *testing.B) {
	file := os.Getenv("SWITCHYARD_CORPUS")
	if file == "" {
		b.Skip("SKIPPED: SWITCHYARD_CORPUS is not set")
	}
	data, err := os.ReadFile(file)
	require.NoError(b, err)
	text := string(data)
	for _, name := range []string{"llama3", "qwen3", "gptoss", "deepseek_v3", "gemma3", "llama2", "minilm", "small-unigram"} {
		b.Run(name, func(b *testing.B) {
			tok := openNamed(b, name)
			from := cpuTime(b)
			for b.Loop() {
				_, err := tok.Encode(text, EncodeOptions{NoOffsets: true})
				require.NoError(b, err)
			}
			b.ReportMetric(float64(len(text)*b.N)/1e6/(cpuTime(b)-from).Seconds(), "MB/cpu-s")
		})
	}
}
