package main

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const tutorial = "../../docs/tutorial.md"

// The tutorial's commands run as they stand there, in order, and print what stands there: words alike, numbers to two parts
// in a hundred, as levels of the kernels round differently. With SWITCHYARD_UPDATE=1 the test writes what they print.
func TestTutorial(t *testing.T) {
	if testing.Short() {
		t.Skip("reads its texts a dozen times")
	}
	data, err := os.ReadFile(tutorial)
	require.NoError(t, err)
	page, err := filepath.Abs(tutorial)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("../../docs/tutorial")))
	t.Chdir(dir)
	var out strings.Builder
	n := 0
	blocks := strings.Split(string(data), "```")
	for i, b := range blocks {
		if i%2 == 1 && strings.HasPrefix(b, "console\n") {
			b = console(t, b, &n)
		}
		out.WriteString(b)
		if i < len(blocks)-1 {
			out.WriteString("```")
		}
	}
	require.Greater(t, n, 10)
	if os.Getenv("SWITCHYARD_UPDATE") != "" {
		require.NoError(t, os.WriteFile(page, []byte(out.String()), 0o600))
	}
}

// console runs the commands of a block and gives the block with what they print.
func console(t *testing.T, block string, n *int) string {
	out := "console\n"
	for _, part := range strings.Split(strings.TrimPrefix(block, "console\n"), "$ ")[1:] {
		command, want, _ := strings.Cut(part, "\n")
		args := shellWords(command)
		require.Equal(t, "switchyard", args[0])
		o := sw("", args[1:]...)
		require.Equal(t, 0, o.code, "%s: %s", command, o.err)
		if os.Getenv("SWITCHYARD_UPDATE") == "" {
			alike(t, command, want, o.out)
		}
		out += "$ " + command + "\n" + o.out
		*n++
	}
	return out
}

// shellWords splits a command as a shell does one with plain words and double quotes.
func shellWords(command string) []string {
	var out []string
	for i, part := range strings.Split(command, `"`) {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}

func alike(t *testing.T, command, want, got string) {
	w, g := strings.Fields(want), strings.Fields(got)
	require.Len(t, g, len(w), "%s:\n%s", command, got)
	for i := range w {
		a, errA := strconv.ParseFloat(w[i], 64)
		b, errB := strconv.ParseFloat(g[i], 64)
		if errA == nil && errB == nil {
			require.LessOrEqual(t, math.Abs(a-b), 0.02*math.Abs(a)+0.02, "%s: %s, the page says %s:\n%s", command, g[i], w[i], got)
			continue
		}
		require.Equal(t, w[i], g[i], "%s:\n%s", command, got)
	}
}
