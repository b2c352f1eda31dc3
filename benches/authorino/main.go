// Authorino's authorization service with its own controller, of AuthConfigs and Secrets in a file, with Kubernetes' API in
// memory: what `make bench` compares the filter with.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	envoy_auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	grpc_prometheus "github.com/grpc-ecosystem/go-grpc-prometheus"
	api "github.com/kuadrant/authorino/api/v1beta3"
	"github.com/kuadrant/authorino/controllers"
	"github.com/kuadrant/authorino/pkg/index"
	"github.com/kuadrant/authorino/pkg/service"
	otel_grpc "go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: authorino PORT FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(port, file string) error {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	if err := api.AddToScheme(scheme); err != nil {
		return err
	}
	objects, err := read(scheme, file)
	if err != nil {
		return err
	}
	known := index.NewIndex()
	reconciler := &controllers.AuthConfigReconciler{
		Client:        fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&api.AuthConfig{}).Build(),
		Logger:        zap.New(zap.WriteTo(os.Stderr)),
		Index:         known,
		StatusReport:  controllers.NewStatusReportMap(),
		LabelSelector: labels.Everything(),
	}
	for _, object := range objects {
		if config, ok := object.(*api.AuthConfig); ok {
			if _, err := reconciler.Reconcile(context.Background(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(config)}); err != nil {
				return err
			}
			if known.Empty() {
				return fmt.Errorf("%s is not in the index", config.Name)
			}
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	// As Authorino's own `main` makes it.
	server := grpc.NewServer(
		grpc.MaxConcurrentStreams(10000),
		grpc.ChainStreamInterceptor(grpc_prometheus.StreamServerInterceptor),
		grpc.ChainUnaryInterceptor(grpc_prometheus.UnaryServerInterceptor),
		grpc.StatsHandler(otel_grpc.NewServerHandler()),
	)
	envoy_auth.RegisterAuthorizationServer(server, &service.AuthService{Index: known})
	return server.Serve(listener)
}

func read(scheme *runtime.Scheme, file string) ([]client.Object, error) {
	open, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer open.Close()
	decode := serializer.NewCodecFactory(scheme).UniversalDeserializer().Decode
	documents := utilyaml.NewDocumentDecoder(open)
	defer documents.Close()
	var objects []client.Object
	buffer := make([]byte, 1<<20)
	for {
		length, err := documents.Read(buffer)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		object, _, err := decode(buffer[:length], nil, nil)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object.(client.Object))
	}
}
