package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCommittedFilesAreGenerated fails where somebody edited the output or forgot to run go generate.
func TestCommittedFilesAreGenerated(t *testing.T) {
	for name, text := range files() {
		have, err := os.ReadFile(filepath.Join("..", "..", name))
		require.NoError(t, err)
		require.Equal(t, text, string(have), name)
	}
}
