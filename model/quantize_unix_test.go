//go:build linux || darwin

package model_test

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/seed2fbf7788/switchyard/model"
)

const limitedDir = "SWITCHYARD_TEST_LIMITED_DIR"

// A disk that fills up half way is played by a limit on file sizes, in a process of its own.
func TestQuantizeOnFullDisk(t *testing.T) {
	if dir := os.Getenv(limitedDir); dir != "" {
		signal.Ignore(syscall.SIGXFSZ)
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1 << 16, Max: 1 << 16}))
		err := model.Quantize(context.Background(), goldens+"/mixtral", filepath.Join(dir, "dst"), model.QuantizeOptions{Scheme: "int8"})
		require.ErrorIs(t, err, unix.EFBIG)
		require.NotContains(t, err.Error(), "\n")
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestQuantizeOnFullDisk$")
	cmd.Env = append(os.Environ(), limitedDir+"="+dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assertNothing(t, dir)
}
