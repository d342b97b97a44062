package loader_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
)

const gib = 1 << 30

// sparseModel is a checkpoint of n tensors of 1 GiB each that takes no room on disk.
func sparseModel(t *testing.T, n int) string {
	dir := folderOf(t, "config.json", "{}")
	var parts []string
	for i := range n {
		parts = append(parts, one(fmt.Sprint("t", i), "BF16", "[16384,32768]", i*gib, (i+1)*gib))
	}
	header := "{" + strings.Join(parts, ",") + "}"
	header += strings.Repeat(" ", 7-(len(header)+7)%8)
	f, err := os.Create(filepath.Join(dir, "model.safetensors"))
	require.NoError(t, err)
	defer f.Close()
	_, err = f.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...))
	require.NoError(t, err)
	if err := f.Truncate(int64(8 + len(header) + n*gib)); err != nil {
		t.Skip("no room for a sparse file of 10 GiB: ", err)
	}
	info, err := f.Stat()
	require.NoError(t, err)
	if s := info.Sys().(*syscall.Stat_t); s.Blocks > 1<<15 {
		t.Skip("the file system has no sparse files")
	}
	return dir
}

// resident is the memory of this process in bytes.
func resident(t *testing.T) int {
	data, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	var size, pages int
	_, err = fmt.Sscan(string(data), &size, &pages)
	require.NoError(t, err)
	return pages * os.Getpagesize()
}

func TestBigCheckpointOpensAtOnce(t *testing.T) {
	dir := sparseModel(t, 10)
	before, start := resident(t), time.Now()
	c, err := loader.Open(dir)
	require.NoError(t, err)
	defer c.Close()
	b := loader.NewBinder(c)
	for i := range 10 {
		var w *tensor.Tensor
		b.Need(&w, fmt.Sprint("t", i), 16384, 32768)
		require.NotNil(t, w)
		assert.Zero(t, w.Data[gib/2], "one page of each is touched")
	}
	require.NoError(t, b.Done())
	took, grown := time.Since(start), resident(t)-before
	t.Logf("10 GiB opened and bound in %v, resident memory grew by %d KiB", took, grown>>10)
	assert.Less(t, took, time.Second)
	assert.Less(t, grown, 64<<20)
}
