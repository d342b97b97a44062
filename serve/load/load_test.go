package load_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/serve/load"
)

// Every row is measured and holds numbers; how large they are is for machines that do nothing else. Texts are long enough
// that the streams overlap on a loaded machine too: the rate is taken while all of them run.
func TestRun(t *testing.T) {
	m, err := model.OpenFS(builtin.FS(), model.Options{})
	require.NoError(t, err)
	defer m.Close()
	for _, c := range []struct {
		o    load.Options
		want []string
	}{
		{load.Options{Tests: []string{"library", "streams", "wait", "turn"}, Streams: []int{1, 3}, Prompt: 8, Generate: 240, Fresh: 20, Long: 200, Reps: 1},
			[]string{"library", "server", "streams", "streams", "wait", "gap", "turn"}},
		{load.Options{Tests: []string{"routing", "mask", "overload"}, Prompt: 8, Generate: 60, Reps: 1, Overload: 100 * time.Millisecond},
			[]string{"routing", "mask first", "mask", "overload"}},
	} {
		var names []string
		require.NoError(t, load.Run(context.Background(), m, c.o, func(r load.Row) error {
			names = append(names, r.Test)
			assert.Positive(t, r.Ratio, "%+v", r)
			return nil
		}))
		assert.Equal(t, c.want, names)
	}
	assert.Zero(t, m.Pages(), "the server has left pages behind")
}
