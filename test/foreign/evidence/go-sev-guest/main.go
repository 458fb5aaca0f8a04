// Evidence judged by go-sev-guest, for scripts beside this folder. Reads requests on standard input, each of five parts
// with a length (u32be) before it: "vcek" or "vlek", report, signing key, issuer, root (DER). Answers one line each: "1", or
// "0" and why. With -times N every request is judged N times and the nanoseconds of one are added.
package main

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/google/go-sev-guest/abi"
	spb "github.com/google/go-sev-guest/proto/sevsnp"
	"github.com/google/go-sev-guest/verify"
	"github.com/google/logger"
)

func judge(kind string, parts [][]byte, now time.Time) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	report, err := abi.ReportToProto(parts[0])
	if err != nil {
		return err
	}
	chain := &spb.CertificateChain{AskCert: parts[2], ArkCert: parts[3], Extras: map[string][]byte{}}
	if kind == "vlek" {
		chain.VlekCert = parts[1]
	} else {
		chain.VcekCert = parts[1]
	}
	return verify.SnpAttestation(&spb.Attestation{Report: report, CertificateChain: chain},
		&verify.Options{DisableCertFetching: true, Now: now})
}

func part(in io.Reader) ([]byte, error) {
	var size uint32
	if err := binary.Read(in, binary.BigEndian, &size); err != nil {
		return nil, err
	}
	data := make([]byte, size)
	_, err := io.ReadFull(in, data)
	return data, err
}

func main() {
	at := flag.Int64("at", time.Now().Unix(), "judge at this time, seconds since 1970")
	times := flag.Int("times", 1, "judge each request so often")
	flag.Parse()
	logger.Init("", false, false, io.Discard)
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	for {
		kind, err := part(in)
		if err == io.EOF {
			return
		}
		var parts [][]byte
		for i := 0; i < 4 && err == nil; i++ {
			var p []byte
			p, err = part(in)
			parts = append(parts, p)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		begin := time.Now()
		for i := 0; i < *times; i++ {
			err = judge(string(kind), parts, time.Unix(*at, 0))
		}
		each := ""
		if *times > 1 {
			each = fmt.Sprintf(" %d", time.Since(begin).Nanoseconds()/int64(*times))
		}
		if err == nil {
			fmt.Fprintf(out, "1%s\n", each)
		} else {
			fmt.Fprintf(out, "0%s %s\n", each, strings.ReplaceAll(err.Error(), "\n", " "))
		}
		out.Flush()
	}
}
