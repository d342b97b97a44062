//go:build (!amd64 && !arm64) || purego

package kernels

func levels() []level { return []level{levelGeneric()} }
