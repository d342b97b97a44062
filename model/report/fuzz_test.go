package report_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model/report"
)

// Whatever a file holds, it is an error or a report; never a panic, never memory that the file does not back.
func FuzzReport(f *testing.F) {
	data, err := os.ReadFile(example().file(f, "t"))
	require.NoError(f, err)
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "t")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		r, err := report.Make(context.Background(), []string{path}, nil)
		if err != nil {
			return
		}
		require.NoError(t, r.WriteJSON(io.Discard))
		require.NoError(t, r.Write(io.Discard))
	})
}
