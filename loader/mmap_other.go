//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows)

package loader

import "io"

// mapFile reads the whole file: the portable stand-in for a mapping.
func mapFile(path string) ([]byte, func() error, error) {
	f, _, err := openRegular(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	return data, func() error { return nil }, err
}
