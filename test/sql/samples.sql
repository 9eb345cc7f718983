-- Every sample request that the API reference prints is accepted as printed.
--
-- Filled in: "connectorType" of DescribeConnector and "lambdaArn" of
-- RegisterConnector, for which the reference prints the words "connectorType"
-- and "lambda arn".  Nothing else is changed.  The canonical form is shown.
CREATE EXTENSION appflow;
\pset format unaligned
\pset tuples_only on

-- CreateConnectorProfile, sample 1
SELECT appflow.validate_request('CreateConnectorProfile', $${
   "connectorProfileName": "Connector_Profile_Name_Value",
  "kmsArn": null,
  "connectorType": "CUSTOMCONNECTOR",
  "connectorLabel": "MyCustomConnector",
  "connectionMode": "Public",
  "connectorProfileConfig":
  {
    "connectorProfileProperties":
    {
      "salesforce":
      {
        "instanceUrl": "InstanceUrl_value",
        "isSandboxEnvironment": false
      }
    },
    "connectorProfileCredentials":
    {
      "salesforce":
      {
        "accessToken": "<AccessToken>",
        "refreshToken": "<RefreshToken>",
        "oauthRequest":
        {
          "authCode": null,
          "redirectUri": null
        }
      }
    }
  }
}$$);

-- CreateConnectorProfile, sample 2
SELECT appflow.validate_request('CreateConnectorProfile', $${
  "connectorProfileName": "Connector_Profile_Name_Value",
  "kmsArn": null,
  "connectorType": "Salesforce",
  "connectorLabel": "Salesforce",
  "connectionMode": "Public",
  "connectorProfileConfig": {
    "connectorProfileProperties": {
      "salesforce": {
        "instanceUrl": "InstanceUrl_value",
        "isSandboxEnvironment": false
      }
    },
    "connectorProfileCredentials": {
      "salesforce": {
        "accessToken": "<AccessToken>",
        "refreshToken": "<RefreshToken>",
        "oauthRequest": {
          "authCode": null,
          "redirectUri": null
        }
      }
    }
  }
}$$);

-- CreateConnectorProfile, sample 3
SELECT appflow.validate_request('CreateConnectorProfile', $${
   "connectorProfileName": "connector-profile-name_value",
  "kmsArn": null,
  "connectorType": "Salesforce",
  "connectionMode": "Public",
  "connectorProfileConfig": {
    "connectorProfileProperties": {
      "salesforce": {
        "isSandboxEnvironment": false
      }
    },
    "connectorProfileCredentials": {
      "salesforce": {
        "oauthRequest": {
          "authCode": "<AuthCode>",
          "redirectUri": "redirectUri"
        }
      }
    }
  }
}$$);

-- CreateConnectorProfile, sample 4
SELECT appflow.validate_request('CreateConnectorProfile', $${
  "connectorProfileName": "connector-profile-name",
  "connectorType": "Zendesk",
  "connectionMode": "Public",
  "connectorProfileConfig": {
    "connectorProfileProperties": {
      "zendesk": {
         "instanceUrl": "Zendesk_Url"
      }
    },
    "connectorProfileCredentials": {
      "zendesk": {
        "clientId": "aws_integration_to_zendesk",
        "clientSecret": "<ClientSecret>",
        "accessToken": "<AccessToken>",
        "oauthRequest": {
          "authCode": null,
          "redirectUri": null
        }
      }
    }
  }
}$$);

-- CreateConnectorProfile, sample 5
SELECT appflow.validate_request('CreateConnectorProfile', $${
  "connectorProfileName": "connector-profile-name",
  "connectorType": "Googleanalytics",
  "connectionMode": "Public",
  "connectorProfileConfig": {
    "connectorProfileProperties": {
      "googleAnalytics": {}
    },
    "connectorProfileCredentials": {
      "googleAnalytics": {
        "clientId": "<ClientId>",
         "clientSecret": "<ClientSecret>",
        "accessToken": "<AccessToken>",
        "refreshToken": "<RefreshToken>",
        "oauthRequest": {
          "authCode": null,
          "redirectUri": null
        }
      }
    }
  }
}$$);

-- CreateConnectorProfile, sample 6
SELECT appflow.validate_request('CreateConnectorProfile', $${
  "connectorProfileName": "Connector-profile-new",
  "connectorType": "Marketo",
  "connectionMode": "Public",
  "connectorProfileConfig": {
    "connectorProfileProperties": {
      "marketo": {
        "instanceUrl": "Marketo_Url"
      }
    },
    "connectorProfileCredentials": {
      "marketo": {
        "clientId": "<ClientId>>",
        "clientSecret": "<ClientSecret>",
        "accessToken": "<AccessToken>",
        "oauthRequest": {
          "authCode": null,
          "redirectUri": null
         }
      }
    }
  }
}$$);

-- CreateFlow, sample 1
SELECT appflow.validate_request('CreateFlow', $${
  "flowName": "testFlowSaleforce",
  "description": "TestFlow",
  "triggerConfig": {
    "triggerType": "Scheduled",
    "triggerProperties": {
        "scheduledTriggerProperties" : {
            "scheduleExpression" : "rate(1minutes)"
        }
    }
  },
  "sourceFlowConfig": {
    "connectorType": "Salesforce",
    "connectorLabel":"MyCustomConnector",
    "connectorProfileName": "Connector_Profile_Name",
     "sourceConnectorProperties": {
      "salesforce": {
         "object": "account"
      }
    }
  },
  "destinationFlowConfigList": [
    {
      "connectorType": "S3",
      "connectorLabel":"MyCustomConnector",
      "destinationConnectorProperties": {
        "s3": {
          "bucketName": "BucketName",
          "bucketKey": "BucketKey"
        }
      }
    }
  ],
  "tasks": [
    {
      "sourceFields": [
        "CreatedDate"
      ],
      "taskProperties": {

      },
      "destinationField": "CreatedDate",
      "taskType": "Map"
    },
    {
      "destinationField": "LastActivityDate",
      "sourceFields": [
        "LastActivityDate"
      ],
      "taskProperties": {

      },
      "taskType": "Map"
    }
  ]
}$$);

-- CreateFlow, sample 2
SELECT appflow.validate_request('CreateFlow', $${
  "useDefaultEncryption": false,
  "flowName": "testFlowZendesk",
  "description": "TestFlow",
  "triggerConfig": {
    "triggerType": "Scheduled",
    "triggerProperties": {
        "scheduledTriggerProperties" : {
            "scheduleExpression" : "rate(1minutes)"
        }
    }
  },
  "sourceFlowConfig": {
    "connectorType": "Zendesk",
    "connectorProfileName": "connector-profile-name",
    "sourceConnectorProperties": {
      "zendesk": {
         "object": "tickets"
      }
    }
  },
  "destinationFlowConfigList": [
    {
      "connectorType": "S3",
      "connectorProfileName": "Test",
      "destinationConnectorProperties": {
        "s3": {
          "bucketName": "BucketName",
          "bucketKey": "BucketKey"
        }
      }
    }
  ],
  "tasks": [
     {
      "destinationField": "url",
      "sourceFields": [
        "url"
      ],
      "taskProperties": {
          "SOURCE_DATA_TYPE": "integer"
      },
      "taskType": "Map"
    }
  ]
}$$);

-- CreateFlow, sample 3
SELECT appflow.validate_request('CreateFlow', $$ {
  "useDefaultEncryption": false,
  "flowName": "testFlowGAnalytics",
  "description": "TestFlow",
  "triggerConfig": {
    "triggerType": "Scheduled",
    "triggerProperties": {
        "scheduledTriggerProperties" : {
            "scheduleExpression" : "rate(1minutes)"
        }
    }
  },
  "sourceFlowConfig": {
    "connectorType": "Googleanalytics",
    "connectorProfileName": "connector-profile-name",
    "sourceConnectorProperties": {
      "googleanalytics": {
         "object": "ObjectID"
      }
    }
  },
  "destinationFlowConfigList": [
    {
      "connectorType": "S3",
       "connectorProfileName": "Test",
      "destinationConnectorProperties": {
        "s3": {
          "bucketName": "BucketName",
          "bucketKey": "BucketKey"
        }
      }
    }
  ],
  "tasks": [
    {
      "destinationField": "url",
      "sourceFields": [
        "url"
      ],
      "taskProperties": {
          "SOURCE_DATA_TYPE": "integer"
      },
      "taskType": "Map"
    }
  ]
}$$);

-- CreateFlow, sample 4
SELECT appflow.validate_request('CreateFlow', $${
  "flowName": "testMarketo",
  "description": "TestFlow",
  "triggerConfig": {
    "triggerType": "Scheduled",
    "triggerProperties": {
        "scheduledTriggerProperties" : {
            "scheduleExpression" : "rate(1minutes)"
        }
    }
  },
  "sourceFlowConfig": {
    "connectorType": "Marketo",
    "connectorProfileName": "Connector-profile-new",
     "sourceConnectorProperties": {
      "marketo": {
         "object": "leads"
      }
    }
  },
  "destinationFlowConfigList": [
    {
      "connectorType": "S3",
      "connectorProfileName": "Test",
      "destinationConnectorProperties": {
        "s3": {
          "bucketName": "BucketName",
          "bucketKey": "BucketKey"
        }
      }
    }
  ],
  "tasks": [
      {
      "connectorOperator": {
          "marketo":"BETWEEN"
      },
      "sourceFields": [
        "updatedAt"
      ],
      "taskProperties": {
        "DATA_TYPE": "datetime",
        "LOWER_BOUND": "Lower_Bound_value",
        "UPPER_BOUND": "Upper_Bound_value"
      },
      "taskType": "Filter"
    },
    {
      "destinationField": "company",
      "sourceFields": [
        "company"
      ],
      "taskProperties": {
          "SOURCE_DATA_TYPE": "string"
      },
      "taskType": "Map"
    }
  ]
 }$$);

-- DeleteConnectorProfile, sample 1
SELECT appflow.validate_request('DeleteConnectorProfile', $${
  "connectorProfileName": "testMarketoProfile",
  "forceDelete": "true"
}$$);

-- DeleteFlow, sample 1
SELECT appflow.validate_request('DeleteFlow', $${
  "flowName": "flowName_value"
}$$);

-- DeleteFlow, sample 2
SELECT appflow.validate_request('DeleteFlow', $${
  "flowName": "flowName_value",
  "forceDelete": true
}$$);

-- DescribeConnector, sample 1
SELECT appflow.validate_request('DescribeConnector', $${
  "connectorType": "Salesforce",
  "connectorLabel": "connectorLabel"
}$$);

-- DescribeConnectorEntity, sample 1
SELECT appflow.validate_request('DescribeConnectorEntity', $${
  "connectorEntityName": "tickets",
  "connectorProfileName": "connector_profile_name",
  "connectorType": "Zendesk"
}$$);

-- DescribeConnectorProfiles, sample 1
SELECT appflow.validate_request('DescribeConnectorProfiles', $${
  "connectorProfileNames": ["OldMarketoProfile","non-existing-name"],
  "connectorTypes": ["Marketo","Salesforce"]
}$$);

-- DescribeConnectorProfiles, sample 2
SELECT appflow.validate_request('DescribeConnectorProfiles', $${
   "connectorProfileNames": ["OldMarketoProfile", "non-existing-name"],
   "connectorTypes": ["Marketo", "Salesforce", "CustomConnector"],
   "connectorLabel": "MyCustomConnectorLabel"
}$$);

-- DescribeConnectors, sample 1
SELECT appflow.validate_request('DescribeConnectors', $${
  "connectorTypes": ["Marketo","Salesforce"]
}$$);

-- DescribeConnectors, sample 2
SELECT appflow.validate_request('DescribeConnectors', $${
  "connectorTypes": ["Marketo","Salesforce"],
  "nextToken": "nextToken_value"
}$$);

-- DescribeFlow, sample 1
SELECT appflow.validate_request('DescribeFlow', $${
  "flowName": "name"
}$$);

-- DescribeFlowExecutionRecords, sample 1
SELECT appflow.validate_request('DescribeFlowExecutionRecords', $${
  "flowName": "name",
  "maxResults": 1
}$$);

-- DescribeFlowExecutionRecords, sample 2
SELECT appflow.validate_request('DescribeFlowExecutionRecords', $${
  "flowName": "test-new-create",
  "maxResults": 1,
  "nextToken": "next_token_value"
}$$);

-- DescribeFlowExecutionRecords, sample 3
SELECT appflow.validate_request('DescribeFlowExecutionRecords', $${
  "flowName": "name",
  "maxResults": 1,
  "nextToken": "next_token_value"
}$$);

-- ListConnectorEntities, sample 1
SELECT appflow.validate_request('ListConnectorEntities', $${
  "connectorType": "Slack",
  "connectorProfileName": "vmSlackProfile"
}$$);

-- ListConnectorEntities, sample 2
SELECT appflow.validate_request('ListConnectorEntities', $${
  "connectorProfileName": "vmSlackProfile"
}$$);

-- ListConnectorEntities, sample 3
SELECT appflow.validate_request('ListConnectorEntities', $${
  "connectorProfileName": "vmSlackProfile",
  "connectorType": "Slack",
  "entitiesPath": "conversations"
}$$);

-- ListConnectors, sample 1
SELECT appflow.validate_request('ListConnectors', $${
  "maxResults": 1,
  "nextToken": "nextToken_value"
}$$);

-- ListFlows, sample 1
SELECT appflow.validate_request('ListFlows', $${
  "maxResults": 1
}$$);

-- RegisterConnector, sample 1
SELECT appflow.validate_request('RegisterConnector', $${
  "connectorLabel": "Connector_Label_Value",
  "connectorProvisioningType": "LAMBDA",
  "connectorProvisioningConfig":
  {
    "lambda":
    {
      "lambdaArn": "arn:aws:lambda:us-east-1:123456789012:function:connector"
    }
  }
}$$);

-- ResetConnectorMetadataCache, sample 1
SELECT appflow.validate_request('ResetConnectorMetadataCache', $${
   "apiVersion": "v1.0",
   "connectorProfileName": "MyCustomConnector"
}$$);

-- ResetConnectorMetadataCache, sample 2
SELECT appflow.validate_request('ResetConnectorMetadataCache', $${
   "apiVersion": "v1.0",
   "connectorProfileName": "MyCustomConnector",
   "connectorEntityName": "EntityName"
}$$);

-- StartFlow, sample 1
SELECT appflow.validate_request('StartFlow', $${
  "flowName": "name"
}$$);

-- StopFlow, sample 1
SELECT appflow.validate_request('StopFlow', $${
  "flowName": "name"
}$$);

-- UnregisterConnector, sample 1
SELECT appflow.validate_request('UnregisterConnector', $${
  "connectorLabel": "MySampleCustomConnector",
  "forceDelete": true
}$$);

-- UpdateConnectorProfile, sample 1
SELECT appflow.validate_request('UpdateConnectorProfile', $${
  "connectorProfileName": "Connector_Profile_Name_value",
  "kmsArn": null,
   "connectorType": "Salesforce",
  "connectionMode": "Public",
  "connectorProfileConfig":
  {
    "connectorProfileProperties":
    {
      "salesforce":
      {
        "instanceUrl": "Instance_url_value",
        "isSandboxEnvironment": false
      }
    },
    "connectorProfileCredentials":
    {
      "salesforce":
      {
        "accessToken": "<AccessToken>",
        "refreshToken": "<RefreshToken>",
        "oauthRequest":
        {
          "authCode": null,
          "redirectUri": null
        }
      }
    }
  }
}$$);

-- UpdateFlow, sample 1
SELECT appflow.validate_request('UpdateFlow', $${
  "flowName": "testFlow-newpayload",
  "description": "TestFlow",
  "triggerConfig": {
    "triggerType": "OnDemand"
  },
  "sourceFlowConfig": {
    "connectorType": "Salesforce",
    "connectorProfileName": "Connector_Profile_Name",
    "sourceConnectorProperties": {
      "salesforce": {
        "object": "account"
      }
    }
  },
  "destinationFlowConfigList": [
    {
      "connectorType": "S3",
       "connectorProfileName": "Test",
      "destinationConnectorProperties": {
        "s3": {
          "bucketName": "Bucket_Name_value",
          "bucketKey": "Bucket_Name_value"
        }
      }
    }
  ],
  "tasks": [
    {
      "sourceFields": ["CreatedDate"],
      "taskProperties": {},
      "destinationField": "CreatedDate",
      "taskType": "Map"
    },
    {
      "destinationField": "LastActivityDate",
      "sourceFields": ["LastActivityDate"],
      "taskProperties": {},
      "taskType": "Map"
    }
  ]
}$$);

-- UpdateFlow, sample 2
SELECT appflow.validate_request('UpdateFlow', $${
  "useDefaultEncryption": false,
  "flowName": "testFlowZendesk",
  "description": "TestFlow",
  "triggerConfig": {
    "triggerType": "OnDemand"
  },
  "sourceFlowConfig": {
    "connectorType": "Zendesk",
    "connectorProfileName": "connector-profile-name",
    "sourceConnectorProperties": {
      "zendesk": {
         "object": "tickets"
      }
    }
  },
  "destinationFlowConfigList": [
    {
      "connectorType": "S3",
      "connectorProfileName": "Test",
      "destinationConnectorProperties": {
        "s3": {
          "bucketName": "Bucket_Name_Value",
          "bucketKey": "Bucket_Name_Value"
        }
      }
    }
  ],
  "tasks": [
    {
      "destinationField": "url",
      "sourceFields": ["url"],
      "taskProperties": {
        "SOURCE_DATA_TYPE": "integer"
      },
      "taskType": "Map"
    }
  ]
}$$);

-- UpdateFlow, sample 3
SELECT appflow.validate_request('UpdateFlow', $${
  "useDefaultEncryption": false,
  "flowName": "testFlowGAnalytics",
  "description": "TestFlow",
  "triggerConfig": {
    "triggerType": "OnDemand"
  },
  "sourceFlowConfig": {
    "connectorType": "Googleanalytics",
     "connectorProfileName": "connector-profile-name",
    "sourceConnectorProperties": {
      "googleanalytics": {
        "object": "Object_ID"
      }
    }
  },
  "destinationFlowConfigList": [
    {
      "connectorType": "S3",
      "connectorProfileName": "Test",
      "destinationConnectorProperties": {
        "s3": {
          "bucketName": "Bucket_Name_Value",
          "bucketKey": "Bucket_Name_Value"
        }
      }
    }
  ],
  "tasks": [
    {
      "destinationField": "url",
      "sourceFields": ["url"],
      "taskProperties": {
        "SOURCE_DATA_TYPE": "integer"
      },
      "taskType": "Map"
    }
  ]
}$$);

-- UpdateFlow, sample 4
SELECT appflow.validate_request('UpdateFlow', $${
  "flowName": "testMarketo",
  "description": "TestFlow",
  "triggerConfig": {
    "triggerType": "OnDemand"
  },
   "sourceFlowConfig": {
    "connectorType": "Marketo",
    "connectorProfileName": "Connector-profile-new",
    "sourceConnectorProperties": {
      "marketo": {
         "object": "leads"
      }
    }
  },
  "destinationFlowConfigList": [
    {
      "connectorType": "S3",
      "connectorProfileName": "Test",
      "destinationConnectorProperties": {
        "s3": {
          "bucketName": "Bucket_Name_Value",
          "bucketKey": "Bucket_Name_Value"
        }
      }
    }
  ],
  "tasks": [
      {
      "connectorOperator": {
          "marketo":"BETWEEN"
      },
      "sourceFields": [
        "updatedAt"
      ],
      "taskProperties": {
        "DATA_TYPE": "datetime",
        "LOWER_BOUND": "Lower_Bound_value",
        "UPPER_BOUND": "Upper_Bound_value"
      },
      "taskType": "Filter"
    },
    {
      "destinationField": "company",
      "sourceFields": [
        "company"
      ],
      "taskProperties": {
          "SOURCE_DATA_TYPE": "string"
      },
       "taskType": "Map"
    }
  ]
}$$);

-- the definition in the sample response of DescribeFlow, sent back
SELECT appflow.validate_request('CreateFlow', $${
  "description": null,
  "destinationFlowConfigList": [
    {
      "connectorProfileName": "connector_profile_name",
      "connectorType": "S3",
      "destinationConnectorProps":
      {
        "Redshift": null,
        "S3":
        {
          "bucketKey": null,
          "bucketName": "salesforceaccountflowbucket"
        },
        "Salesforce": null,
        "Snowflake": null
      }
    }
  ],
  "flowName": "test_flow_ondemand_10",
  "kmsArn": null,
  "sourceFlowConfig":
  {
    "connectorProfileName": "connectorProfileName",
    "connectorType": "Salesforce",
    "sourceConnectorProps":
    {
      "Amplitude": null,
      "Salesforce":
      {
        "object": "Account"
      },
      "Zendesk": null
    }
  },
  "tasks": [
    {
      "connectorOperator": null,
      "destinationField": "Id",
      "sourceFields": ["Id"],
      "taskProperties":
      {
        "DESTINATION_DATA_TYPE": "id",
        "SOURCE_DATA_TYPE": "id"
      },
       "taskType": "Mapping"
    },
    {
      "connectorOperator": null,
      "destinationField": null,
      "sourceFields": ["Id","Name"],
      "taskProperties":
      {},
      "taskType": "Filtering"
    }
  ],
  "triggerConfig":
  {
    "triggerProps":
    {
      "ScheduledTriggerProps": null
    },
    "triggerType": "OnDemand"
  }
}$$);

DROP EXTENSION appflow;
