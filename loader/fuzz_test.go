package loader_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// FuzzSafetensors: no input panics; what is accepted tiles the data and reads as its dtype.
func FuzzSafetensors(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join("..", "testdata", "hostile", "*.safetensors"))
	require.NoError(f, err)
	for _, p := range paths {
		data, err := os.ReadFile(p)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add(encode(f, named("a", tensor.BF16, 2, 3), named("b", tensor.F32, 0), named("c", tensor.U8, 5)))
	f.Add(raw("{"+one("a", "U8", "[1]", 0, 1)+","+one("b", "F32", "[2]", 1, 9)+"}  ", 9))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := loader.ParseFile("f", data)
		if err != nil {
			oneLine(t, err)
			return
		}
		total := 0
		for _, n := range file.Names() {
			x, ok := file.Tensor(n)
			require.True(t, ok)
			require.NoError(t, tensor.ToF32(make([]float32, x.Elems()), widened(x)))
			total += len(x.Data)
		}
		require.LessOrEqual(t, total, len(data)-8)
	})
}

// widened is x, or an empty tensor where x has a dtype without a conversion.
func widened(x *tensor.Tensor) *tensor.Tensor {
	switch x.DType {
	case tensor.U64, tensor.U32, tensor.U16:
		return tensor.New(tensor.U8, 0)
	}
	return x
}

// FuzzFields: no input panics; what is accepted is JSON with Python's three words for odd numbers at most.
func FuzzFields(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1,"b":[1,2.5,"x"],"c":{"d":null}}`, `{"a":NaN}`, `{"a":1,"a":2}`, `{"a":"\ud83d\ude00"}`,
		`{"eos_token_id":[1,2],"rope_scaling":{"factor":8.0,"rope_type":"llama3"}}`, `{"a":-0.0e+9}`, "{\"a\":\"\\u12\"}"} {
		f.Add([]byte(s), "a")
	}
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		c, err := loader.ParseFields("c", data)
		if err != nil {
			oneLine(t, err)
			return
		}
		if !bytes.Contains(data, []byte("NaN")) && !bytes.Contains(data, []byte("Infinity")) {
			all := map[string]json.RawMessage{}
			require.NoError(t, json.Unmarshal(data, &all))
			require.Len(t, c.Keys(), len(all))
		}
		for _, k := range append(c.Keys(), key) {
			ask(c, k)
		}
		if err := c.Err(); err != nil {
			oneLine(t, err)
		}
	})
}

func ask(c *loader.Fields, k string) {
	_, _, _, _, _ = c.Int(k, -5, 5), c.Float(k), c.Bool(k), c.String(k), c.Has(k)
	_, _, _, _, _ = c.Ints(k), c.Floats(k), c.Bools(k), c.Strings(k), c.IntsOrInt(k)
	if o := c.Object(k); o != nil {
		for _, k := range o.Keys() {
			ask(o, k)
		}
	}
}

// FuzzIndex: no index panics or leads out of the folder.
func FuzzIndex(f *testing.F) {
	for _, s := range []string{`{"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}}`, `{"weight_map":{"a":"../x"}}`,
		`{"metadata":{"total_size":1},"weight_map":{}}`, `{"weight_map":{"a":"/m","a":"m"}}`, `{"weight_map":{"a":"config.json"}}`} {
		f.Add([]byte(s))
	}
	shards := sharded(f, `{}`)
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := maps.Clone(shards)
		fsys[index] = &fstest.MapFile{Data: data}
		c, err := loader.OpenFS(watched{fsys, t})
		if err != nil {
			oneLine(t, err)
			return
		}
		require.LessOrEqual(t, len(c.Names()), 2)
		require.NoError(t, c.Close())
	})
}

// watched is a file system that fails the test where a name has a folder in it.
type watched struct {
	fs.FS
	t *testing.T
}

func (w watched) Open(name string) (fs.File, error) {
	require.False(w.t, name == ".." || strings.ContainsAny(name, "/\\:"), "%q was opened", name)
	return w.FS.Open(name)
}
