// An entity set with a field of every type, and two that belong together.

service Sales @(path: '/odata/v4/sales') {

  @Capabilities.DeleteRestrictions.Deletable: true
  entity Orders {
    key ID        : Integer        @title: 'Order';
        Customer  : String(40)     @title: 'Sold-to party';
        Note      : String(200);
        Amount    : Decimal(15, 2);
        Big       : Integer64;
        Share     : Double;
        Paid      : Boolean;
        Day       : Date;
        At        : DateTime;
        Changed   : Timestamp;
        Clock     : Time;
        Ref       : UUID;
        Blob      : Binary(40);
        Items     : Composition of many Items on Items.Parent = $self;
        Region_ID : String(2);
        Region    : Association to Regions on Region.ID = Region_ID;
  }

  entity Items {
    key OrderID  : Integer;
    key Pos      : String(6);
        Material : String(18) not null;
        Quantity : Decimal(13, 3);
        Parent   : Association to Orders on Parent.ID = OrderID;
  }

  @readonly
  entity Regions {
    key ID   : String(2);
        Name : String(30);
  }

  @cds.query.limit: { default: 7, max: 7 }
  entity Many {
    key ID    : Integer;
        Value : String(20);
  }

  @odata.etag: 'Version'
  entity Guarded {
    key ID      : Integer;
        Value   : String(20);
        @odata.etag
        Version : Integer default 1;
  }
}
