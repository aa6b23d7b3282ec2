//go:build !wasip1

package shallop

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// How long requests may take that are being answered at SIGTERM.
const drainTime = 10 * time.Second

// Main answers HTTP on $PORT, 8080 where it is not set, until SIGTERM. In a component it is not run.
func Main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	server := &http.Server{Addr: ":" + port, Handler: handler, ReadHeaderTimeout: 30 * time.Second}
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		log.Fatal(err)
	case <-ended.Done():
	}
	drained, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := server.Shutdown(drained); err != nil && !errors.Is(err, http.ErrServerClosed) {
		log.Print(err)
	}
}
