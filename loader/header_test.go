package loader_test

import (
	"encoding/binary"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
)

var rewrite = flag.Bool("rewrite", false, "write the files of testdata/hostile again")

func length(n uint64, rest string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, n), rest...)
}

// hostile is every kind of broken file: its name, its bytes, and words of the message.
var hostile = []struct {
	name  string
	data  []byte
	words string
}{
	{"empty", nil, "at least 8 bytes"},
	{"short", []byte{1, 2, 3}, "3 bytes"},
	{"length-2^63", length(1<<63, "{}"), "9223372036854775808"},
	{"length-2^63-1", length(math.MaxInt64, "{}"), "9223372036854775807"},
	{"length-2^64-1", length(math.MaxUint64, "{}"), "18446744073709551615"},
	{"length-over-limit", length(100_000_001, "{}"), "at most 100000000"},
	{"length-over-file", length(100, "{}"), "file with 2 after"},
	{"no-header", length(0, ""), "starts with '{'"},
	{"not-an-object", raw(`[]`, 0), "starts with '{'"},
	{"leading-space", raw(` {}`, 0), "starts with '{'"},
	{"truncated-json", raw(`{"a":{"dtype":"F32"`, 0), "the end"},
	{"after-the-object", raw(`{} x`, 0), "want the end"},
	{"two-objects", raw(`{}{}`, 0), "want the end"},
	{"invalid-utf8", raw("{\"\xff\":1}", 0), "UTF-8"},
	{"deep", raw(`{"a":`+strings.Repeat("[", 5000), 0), "want '{'"},
	{"duplicate-tensor", raw("{"+one("a", "U8", "[1]", 0, 1)+","+one("a", "U8", "[1]", 1, 2)+"}", 2), `duplicate key "a"`},
	{"duplicate-field", raw(`{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), `duplicate key "dtype"`},
	{"duplicate-escaped", raw("{"+one("a", "U8", "[1]", 0, 1)+","+one(`\u0061`, "U8", "[1]", 1, 2)+"}", 2), `duplicate key "a"`},
	{"missing-field", raw(`{"a":{"dtype":"U8","shape":[1]}}`, 1), "2 of the three"},
	{"unknown-field", raw(`{"a":{"dtype":"U8","shape":[1],"strides":[1],"data_offsets":[0,1]}}`, 1), "strides"},
	{"unknown-dtype", raw("{"+one("a", "F4_WEIRD", "[1]", 0, 1)+"}", 1), `"F4_WEIRD" is not known`},
	{"dtype-number", raw(`{"a":{"dtype":3,"shape":[1],"data_offsets":[0,1]}}`, 1), "want a string"},
	{"shape-negative", raw("{"+one("a", "U8", "[-1]", 0, 1)+"}", 1), "found -1"},
	{"shape-fraction", raw("{"+one("a", "U8", "[1.5]", 0, 1)+"}", 1), "found 1.5"},
	{"shape-huge", raw("{"+one("a", "U8", "[9223372036854775808]", 0, 1)+"}", 1), "9223372036854775808"},
	{"shape-overflow", raw("{"+one("a", "U8", "[4294967296,4294967296]", 0, 0)+"}", 0), "too many"},
	{"shape-overflow-bytes", raw("{"+one("a", "F64", "[2305843009213693952]", 0, 0)+"}", 0), "too many"},
	{"shape-long", raw("{"+one("a", "U8", "["+strings.Repeat("1,", 1000)+"1]", 0, 1)+"}", 1), "at most 16"},
	{"shape-null", raw("{"+one("a", "U8", "null", 0, 1)+"}", 1), "want '['"},
	{"offsets-one", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}`, 1), "2 numbers"},
	{"offsets-reversed", raw("{"+one("a", "U8", "[1]", 1, 0)+"}", 1), "found [1, 0]"},
	{"offsets-negative", raw("{"+one("a", "U8", "[1]", -1, 0)+"}", 1), "found -1"},
	{"offsets-wrap", raw("{"+one("a", "U8", "[2]", "9223372036854775807", 1)+"}", 1), "found [9223372036854775807, 1]"},
	{"size-mismatch", raw("{"+one("a", "F32", "[2]", 0, 4)+"}", 4), "want 8 bytes for F32 [2]"},
	{"beyond-the-end", raw("{"+one("a", "U8", "[9]", 0, 9)+"}", 4), "inside the file's 4 bytes"},
	{"far-beyond-the-end", raw("{"+one("a", "U8", "[9000000000000000000]", 0, "9000000000000000000")+"}", 4), "file's 4 bytes"},
	{"hole-first", raw("{"+one("a", "U8", "[1]", 1, 2)+"}", 2), "a hole"},
	{"hole-middle", raw("{"+one("a", "U8", "[1]", 0, 1)+","+one("b", "U8", "[1]", 2, 3)+"}", 3), "a hole"},
	{"hole-empty-tensor", raw("{"+one("a", "U8", "[0]", 1, 1)+","+one("b", "U8", "[1]", 2, 3)+"}", 3), "a hole"},
	{"overlap", raw("{"+one("a", "U8", "[2]", 0, 2)+","+one("b", "U8", "[2]", 1, 3)+"}", 3), "an overlap"},
	{"twice-the-same-bytes", raw("{"+one("a", "U8", "[2]", 0, 2)+","+one("b", "U8", "[2]", 0, 2)+"}", 2), "an overlap"},
	{"trailing-data", raw("{"+one("a", "U8", "[1]", 0, 1)+"}", 2), "want 1 bytes of data, found 2"},
	{"metadata-number", raw(`{"__metadata__":{"a":1}}`, 0), "want a string"},
	{"metadata-list", raw(`{"__metadata__":[]}`, 0), "want '{'"},
	{"metadata-twice", raw(`{"__metadata__":{},"__metadata__":{}}`, 0), "duplicate key"},
	{"control-in-name", raw("{\"a\nb\":1}", 0), "control characters"},
	{"newline-in-name", raw("{"+one(`a\nb`, "X", "[1]", 0, 1)+"}", 1), `a\\nb`},
	{"lone-surrogate-escape", raw(`{"\ud800":1}`, 0), "want '{'"},
	{"bad-escape", raw(`{"\x":1}`, 0), "escapes"},
	{"nan-offset", raw("{"+one("a", "U8", "[1]", "NaN", 1)+"}", 1), "found NaN"},
}

func TestHostileHeaders(t *testing.T) {
	for _, h := range hostile {
		f, err := loader.ParseFile("f.safetensors", h.data)
		require.ErrorIs(t, err, loader.ErrHeader, h.name)
		oneLine(t, err)
		assert.Nil(t, f, h.name)
		assert.Contains(t, err.Error(), "f.safetensors: header: ", h.name)
		assert.Contains(t, err.Error(), h.words, h.name)
	}
}

// kept are the broken files that are checked in, for tools and people that want real files.
var kept = []string{"empty", "length-2^63", "truncated-json", "duplicate-tensor", "unknown-dtype", "shape-overflow",
	"hole-middle", "overlap", "beyond-the-end", "trailing-data"}

func TestHostileFiles(t *testing.T) {
	for _, h := range hostile {
		for _, k := range kept {
			if h.name != k {
				continue
			}
			path := filepath.Join("..", "testdata", "hostile", strings.ReplaceAll(k, "^", "-")+".safetensors")
			if *rewrite {
				require.NoError(t, os.WriteFile(path, h.data, 0o644))
			}
			_, err := loader.OpenFile(path)
			require.ErrorIs(t, err, loader.ErrHeader, k)
			require.ErrorContains(t, err, h.words, k)
		}
	}
}

func TestGoodHeaders(t *testing.T) {
	for name, data := range map[string][]byte{
		"no tensors":      raw(`{}`, 0),
		"trailing spaces": raw(`{}        `, 0),
		"empty tensors": raw("{"+one("z", "U8", "[0]", 0, 0)+","+one("a", "F32", "[3,0]", 4, 4)+","+
			one("b", "F32", "[1]", 0, 4)+"}", 4),
		"scalar":         raw("{"+one("a", "F32", "[]", 0, 4)+"}", 4),
		"spaces within":  raw("{ \n\"a\" :\t{ \"shape\" : [ 1 , 1 ] , \"data_offsets\" : [ 0 , 1 ],\"dtype\":\"BOOL\" } }", 1),
		"empty name":     raw("{"+one("", "U8", "[1]", 0, 1)+"}", 1),
		"out of order":   raw("{"+one("a", "U8", "[1]", 1, 2)+","+one("b", "U8", "[1]", 0, 1)+"}", 2),
		"metadata":       raw(`{"__metadata__":{"format":"pt","ü":"\u00fc\ud83d\ude00"}}`, 0),
		"huge zero":      raw("{"+one("a", "U8", "[0,9223372036854775807]", 0, 0)+"}", 0),
		"every byte dim": raw("{"+one("a", "F8_E4M3", "[1,1,1,1,1,1,1,1]", 0, 1)+"}", 1),
	} {
		f, err := loader.ParseFile(name, data)
		if assert.NoError(t, err, name) {
			for _, n := range f.Names() {
				_, ok := f.Tensor(n)
				assert.True(t, ok)
			}
		}
	}
}
