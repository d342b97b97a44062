//go:build !purego

package kernels

func levels() []level { return []level{levelGeneric()} }
