"""What has been published: bundles, their blobs by digest, and the signed metadata that devices trust."""
