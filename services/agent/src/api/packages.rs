//! Sets of permissions with a name.

use super::Packages;
use crate::domain::packages::PACKAGES;
use access::Call;
use callfairy_core::Problem;
use proto::agent::{ListPackagesResponse, PackageDescription};
use proto::rpc::packages as rpc;

impl access::Packages for Packages {
    async fn list_packages(&self, _call: Call<rpc::ListPackages>) -> Result<ListPackagesResponse, Problem> {
        let packages = PACKAGES.iter().map(|(package, permissions)| PackageDescription {
            key: (*package).into(),
            permissions: permissions.iter().map(|permission| (*permission).into()).collect(),
        });
        Ok(ListPackagesResponse { packages: packages.collect() })
    }
}
