// Command workflow compiles a pipeline into an Argo Workflow, as the API server of Kubeflow
// Pipelines does: with the platform specification, which its own command `compiler` leaves out.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"

	"github.com/kubeflow/pipelines/api/v2alpha1/go/pipelinespec"
	"github.com/kubeflow/pipelines/backend/src/apiserver/config/proxy"
	"github.com/kubeflow/pipelines/backend/src/v2/compiler/argocompiler"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"
)

func main() {
	job := flag.String("job", "", "a PipelineJob, in JSON")
	platform := flag.String("platform", "", "its SinglePlatformSpec, in JSON")
	image := flag.String("image", "", "of the containers that run Kubeflow's own commands")
	flag.Parse()
	if err := compile(*job, *platform, *image); err != nil {
		log.Fatal(err)
	}
}

func compile(jobPath, platformPath, image string) error {
	proxy.InitializeConfig("", "", "")
	job, platform := &pipelinespec.PipelineJob{}, &pipelinespec.SinglePlatformSpec{}
	for path, message := range map[string]proto.Message{jobPath: job, platformPath: platform} {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := protojson.Unmarshal(content, message); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	// The cache is a service of the API server, which is not there.
	options := &argocompiler.Options{
		DriverImage: image, LauncherImage: image, CacheDisabled: true,
	}
	workflow, err := argocompiler.Compile(job, platform, options)
	if err != nil {
		return err
	}
	content, err := yaml.Marshal(workflow)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(content)
	return err
}
