//go:build linux || darwin

package loader_test

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
)

const limitedDir = "SWITCHYARD_TEST_LIMITED_DIR"

// A disk that fills up half way is played by a limit on file sizes, in a process of its own.
func TestWriteOnFullDisk(t *testing.T) {
	if dir := os.Getenv(limitedDir); dir != "" {
		signal.Ignore(syscall.SIGXFSZ)
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1 << 16, Max: 1 << 16}))
		err := loader.Write(filepath.Join(dir, "old.safetensors"), []loader.Named{named("x", tensor.F32, 1<<20)}, nil)
		require.ErrorIs(t, err, unix.EFBIG)
		oneLine(t, err)
		err = loader.ReplaceFiles(map[string][]byte{filepath.Join(dir, "a"): make([]byte, 9), filepath.Join(dir, "old.safetensors"): make([]byte, 1<<17)})
		require.ErrorIs(t, err, unix.EFBIG)
		oneLine(t, err)
		return
	}
	dir := folderOf(t, "old.safetensors", "old")
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriteOnFullDisk$")
	cmd.Env = append(os.Environ(), limitedDir+"="+dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	onlyOld(t, dir)
}

// A pipe in the place of a file must not hang.
func TestPipesAreRefused(t *testing.T) {
	dir := folderOf(t, "config.json", "{}")
	pipe := filepath.Join(dir, "model.safetensors")
	require.NoError(t, unix.Mkfifo(pipe, 0o600))
	_, err := loader.Open(dir)
	oneLine(t, err)
	assert.ErrorContains(t, err, "want a plain file")
	assert.ErrorContains(t, loader.Write(pipe, nil, nil), "want a plain file")
}
