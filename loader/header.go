package loader

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// maxHeader is the limit that the format's own library sets.
const maxHeader = 100_000_000

// maxDims keeps a hostile shape list short; no tensor of a model has more than five dimensions.
const maxDims = 16

// entry is one tensor of a header; begin and end count from the start of the data.
type entry struct {
	name       string
	dtype      tensor.DType
	shape      tensor.Shape
	begin, end int
	own        []byte // the data of a tensor that is in no file; see FromMemory
}

// header is the parsed head of a safetensors file.
type header struct {
	entries []entry // by place in the file
	meta    map[string]string
	start   int // where the data begins in the file
}

// parseHeader checks everything that the head of a safetensors file says against data, the whole file. It touches no
// byte after the header. Errors are plain; the caller adds the file's name.
func parseHeader(data []byte) (*header, error) {
	text, err := headerText(data)
	if err != nil {
		return nil, err
	}
	h := &header{start: 8 + len(text)}
	err = scanObject(text, func(s *scan, key string) error {
		if key == "__metadata__" {
			return h.readMeta(s)
		}
		e, err := readEntry(s, key)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", clean(key), err)
		}
		h.entries = append(h.entries, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return h, h.checkCover(len(data) - h.start)
}

// headerText cuts the JSON text out of the file.
func headerText(data []byte) ([]byte, error) {
	if len(data) < 8 {
		return nil, fmt.Errorf("want at least 8 bytes of header length, found a file of %d bytes", len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	if n > maxHeader {
		return nil, fmt.Errorf("want a header of at most %d bytes, found length %d", maxHeader, n)
	}
	if n > uint64(len(data)-8) {
		return nil, fmt.Errorf("want a header of %d bytes, found a file with %d after the length", n, len(data)-8)
	}
	text := data[8 : 8+int(n)]
	if n == 0 || text[0] != '{' {
		return nil, fmt.Errorf("want a header that starts with '{', found %q", text[:min(n, 1)])
	}
	return text, nil
}

func (h *header) readMeta(s *scan) error {
	h.meta = map[string]string{}
	return s.object(func(key string) error {
		v, err := s.str()
		if err != nil {
			return fmt.Errorf("__metadata__ %q: %w", clean(key), err)
		}
		h.meta[key] = v
		return nil
	})
}

func readEntry(s *scan, name string) (entry, error) {
	e, seen := entry{name: name}, 0
	err := s.object(func(key string) (err error) {
		seen++
		switch key {
		case "dtype":
			e.dtype, err = readDType(s)
		case "shape":
			e.shape, err = s.ints(maxDims)
		case "data_offsets":
			e.begin, e.end, err = readOffsets(s)
		default:
			return fmt.Errorf("want dtype, shape and data_offsets, found %q", clean(key))
		}
		return err
	})
	if err != nil {
		return e, err
	}
	if seen != 3 {
		return e, fmt.Errorf("want dtype, shape and data_offsets, found %d of the three", seen)
	}
	return e, e.checkSize()
}

// checkSize compares the byte range with dtype and shape.
func (e *entry) checkSize() error {
	want, err := e.shape.Bytes(e.dtype)
	if err != nil {
		return err
	}
	if e.begin > e.end || e.end-e.begin != want {
		return fmt.Errorf("data_offsets: want %d bytes for %v %v, found [%d, %d]", want, e.dtype, e.shape, e.begin, e.end)
	}
	return nil
}

func readDType(s *scan) (tensor.DType, error) {
	name, err := s.str()
	if err != nil {
		return tensor.Invalid, err
	}
	d, err := tensor.ParseDType(name)
	if err != nil {
		return d, fmt.Errorf("dtype %q is not known", clean(name))
	}
	return d, nil
}

func readOffsets(s *scan) (int, int, error) {
	o, err := s.ints(2)
	if err != nil {
		return 0, 0, fmt.Errorf("data_offsets: %w", err)
	}
	if len(o) != 2 {
		return 0, 0, fmt.Errorf("data_offsets: want 2 numbers, found %d", len(o))
	}
	return o[0], o[1], nil
}

// ints reads an array of at most most integers from 0 to the largest int.
func (s *scan) ints(most int) ([]int, error) {
	list := []int{}
	err := s.array(func() error {
		raw, err := s.value()
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(raw), 10, strconv.IntSize)
		if err != nil || n < 0 {
			return fmt.Errorf("want a size from 0 to %d, found %s", uint(1)<<(strconv.IntSize-1)-1, clean(string(raw)))
		}
		if len(list) == most {
			return fmt.Errorf("want at most %d numbers, found more", most)
		}
		list = append(list, int(n))
		return nil
	})
	return list, err
}

// checkCover makes sure that the tensors tile the data: no hole, no overlap, nothing behind the last. A file with
// holes could be two things at once.
func (h *header) checkCover(size int) error {
	slices.SortFunc(h.entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), cmp.Compare(a.name, b.name))
	})
	at := 0
	for _, e := range h.entries {
		if e.end > size {
			return fmt.Errorf("tensor %q: want data inside the file's %d bytes, found [%d, %d]", clean(e.name), size, e.begin, e.end)
		}
		if e.begin != at {
			what := "a hole"
			if e.begin < at {
				what = "an overlap"
			}
			return fmt.Errorf("tensor %q: want data from byte %d, found %s: it begins at %d", clean(e.name), at, what, e.begin)
		}
		at = e.end
	}
	if at != size {
		return fmt.Errorf("want %d bytes of data, found %d", at, size)
	}
	return nil
}
